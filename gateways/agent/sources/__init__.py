"""The ways in, one small adapter each: it owns a socket or a file and holds no rule. What it hears it hands over, and waits until that is kept."""
