"""What a node counts of its cameras."""

from ruid_edge.health.tally import CameraTally


def test_the_reason_of_a_loss_can_be_sent_whatever_a_driver_said() -> None:
    tally = CameraTally()
    tally.lost("the driver said:\n\tno\0 frame")
    counts = tally.counts(now_s=0.0)
    assert (counts.capturing, counts.trouble) == (False, "the driver said: no frame")


def test_a_frame_ends_a_loss() -> None:
    tally = CameraTally()
    tally.lost("unplugged")
    tally.captured(grabbed_at_s=5.0, replaced=False)
    counts = tally.counts(now_s=5.0)
    assert (counts.capturing, counts.trouble, counts.last_frame_at_s) == (True, "", 5.0)
