//! What nobody waits for: the copy of a call, the comparison of two answers, what is kept of it.
