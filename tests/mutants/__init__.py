"""What the tests are worth: bugs planted one at a time, and which test finds each."""
