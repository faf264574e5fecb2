"""The records: contacts, tickets, audiences, imports and the log of every act, in one SQL database."""
