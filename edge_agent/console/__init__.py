"""The console: hears every station, keeps what they tell, says what it has, and asks them to do things."""
