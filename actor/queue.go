package actor

// queue is the messages of a mailbox and what they cost.
type queue[M any] struct {
	msgs  []M
	count int
	bytes int
}

func (q *queue[M]) add(m M, count, bytes int) {
	q.msgs = append(q.msgs, m)
	q.count += count
	q.bytes += bytes
}

// room reports whether a message of that cost may join what is waiting.
func (q *queue[M]) room(cfg *Config[M], count, bytes int) bool {
	if len(q.msgs) == 0 {
		return true
	}
	// Subtracting, because a sum of costs could overflow.
	if count > 0 && count > cfg.maxMessages()-q.count {
		return false
	}
	return bytes <= 0 || cfg.MaxBytes <= 0 || bytes <= cfg.MaxBytes-q.bytes
}
