"""The views under any order, any repeat, any pace, and while people decide in the middle."""
