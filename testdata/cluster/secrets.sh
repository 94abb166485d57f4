#!/bin/sh
# Prints new passwords for server.conf and accounts.conf: sh secrets.sh > secrets.env
# Keep what it prints out of version control. The letter in front is needed: a
# value that begins with a digit could be read as a number.
for name in ROUTE NODE OPERATOR SERVICE BACKEND WATCHER ADMIN; do
  printf 'NATS_%s_PASSWORD=p%s\n' "$name" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
done
