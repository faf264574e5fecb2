"""The measured acts on contacts do what they say; how fast is `make bench`'s business."""

import pytest

from tests.bench import contacts


@pytest.mark.slow
def test_every_act_on_contacts_is_counted_and_undone(capsys):
    """Counts and states are compared after every step; one that differs raises."""
    assert contacts.main(["--quick"]) == 0
    assert "import, half of them changed" in capsys.readouterr().out
