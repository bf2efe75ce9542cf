"""Alerts on their way out: to whom (``routing``), in which words (``email``), by which way (``transport``).

Whether an alert is owed is decided in ``rules.escalation``; ``store.outbox`` keeps it until it is sent.
"""
