"""Compares sources and targets by listing, and repairs what notifications lost."""
