"""What enters the box beside a hand-in: the runner, and a copy of the drivers."""
