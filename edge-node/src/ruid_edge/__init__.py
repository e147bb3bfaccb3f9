"""The RuID edge node: one per Pi. Camera in, embeddings out; video never leaves.

    capture ─▶ pipeline (inference, tracking) ─▶ spool ─▶ uplink ══▶ hub
                                health watches all of it

Threads: one per camera reads frames, one runs the models, and an asyncio loop owns the spool and the connection.
Between them stand bounded hand-overs: the newest frame wins, durable items wait. `bootstrap` puts it together.
"""

__version__ = "0.1.0"
