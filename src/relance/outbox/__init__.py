"""Messages as durable rows, from the moment they are written until they are known to have left.

Here: queueing, claims, hand-over, retries, recovery, channels. Not here: who is to be chased and
with which words (dunning), the entries a message leaves behind (dunning, through `Hooks`), the
process and its signals (ops.worker). Read first: `delivery.deliver_batch`, `claims.abandon`.

A message is handed over at most once per claim: `claims.mark_handing` is a conditional UPDATE
just before the last byte that could be taken back, `claims.mark_left` follows the answer. A
process killed between the two leaves an uncertain message, which only a person may resend.
"""
