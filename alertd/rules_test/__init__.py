"""Unit tests of rules: a test file describes bills and people over time, and what alertd has to say of it."""
