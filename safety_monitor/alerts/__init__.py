"""Alerts on their way out: who is written to (``routing``), what the mail says (``email``), how it leaves
(``transport``). Nothing here decides whether an alert is owed (``rules.escalation``) or keeps it (``store.outbox``).
"""
