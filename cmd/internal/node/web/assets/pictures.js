// Whose pictures load at once: those of the hosts that the server names (--image-host). The page's policy names the same
// ones, so the browser refuses any other whatever stands here; this decides what is shown instead.

const hosts = (document.querySelector('meta[name="image-hosts"]')?.content ?? "").split(" ").filter(Boolean).map((pattern) => {
  const [scheme, host = ""] = pattern.split("://");
  return { any: pattern === "*", protocol: `${scheme}:`, host, below: host.startsWith("*.") ? host.slice(1) : "" };
});

/** Whether the picture at url, a URL, loads without being asked for. */
export function loadsAtOnce(url) {
  return hosts.some(({ any, protocol, host, below }) => {
    if (any) return true;
    return url.protocol === protocol && (below ? url.host.endsWith(below) && url.host.length > below.length : url.host === host);
  });
}
