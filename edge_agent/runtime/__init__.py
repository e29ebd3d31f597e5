"""What keeps a station going: clock, loop, hand-over between threads, supervision, durable files."""
