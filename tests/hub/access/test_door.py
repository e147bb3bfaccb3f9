"""Sessions, tokens, and who is let in."""

import re
from pathlib import Path

import pytest

from access_fakes import OWNER, PASSWORD
from hub_fakes import FakeClock
from ruid_hub.access import (
    Access,
    AccessMode,
    AlreadySetUp,
    Audit,
    LastAdmin,
    NameTaken,
    Permit,
    Reach,
    Role,
    TooManyAttempts,
    UnusablePassword,
    WrongCode,
    WrongPassword,
)
from ruid_hub.access import audit as audit_module
from ruid_hub.access.door import IDLE_S, LONGEST_S, SESSIONS_A_USER
from ruid_hub.access.throttle import WITH_ADDRESS
from ruid_hub.store import Arrival, Store

HOME = {"address": "192.168.0.2", "browser": "Firefox"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def access(store: Store, clock: FakeClock) -> Access:
    access = Access(store=store, clock=clock)
    access.set_up(OWNER, PASSWORD, **HOME)
    return access


class TestSetUp:
    def test_the_first_user_is_an_admin_and_there_is_no_second_first(self, access: Access):
        assert not access.needs_set_up
        assert access.sign_in(OWNER, PASSWORD, **HOME).caller.role is Role.ADMIN
        with pytest.raises(AlreadySetUp):
            access.set_up("Somebody", PASSWORD, **HOME)

    def test_a_poor_password_leaves_the_hub_as_it_was(self, store: Store, clock: FakeClock):
        access = Access(store=store, clock=clock)
        with pytest.raises(UnusablePassword):
            access.set_up(OWNER, "short", **HOME)
        assert access.needs_set_up

    def test_somebody_elsewhere_needs_the_code_from_the_log(self, store: Store, clock: FakeClock):
        access = Access(store=store, clock=clock)
        assert re.fullmatch("[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}", access.setup_code)
        for wrong in ("", "AAAA-AAAA", access.setup_code[:-1]):
            with pytest.raises(WrongCode):
                access.set_up(OWNER, PASSWORD, **HOME, code=wrong)
        access.set_up(OWNER, PASSWORD, **HOME, code=access.setup_code.lower().replace("-", " "))
        assert access.setup_code == ""

    def test_the_code_is_another_one_after_each_start_unless_it_was_chosen(self, store: Store, clock: FakeClock):
        assert len({Access(store=store, clock=clock).setup_code for _ in range(3)}) == 3
        assert Access(store=store, clock=clock, setup_code="my own code").setup_code == "my own code"

    def test_guessing_the_code_has_to_wait(self, store: Store, clock: FakeClock):
        access = Access(store=store, clock=clock)
        for _ in range(WITH_ADDRESS.free):
            with pytest.raises(WrongCode):
                access.set_up(OWNER, PASSWORD, **HOME, code="AAAA-AAAA")
        with pytest.raises(TooManyAttempts):
            access.set_up(OWNER, PASSWORD, **HOME, code=access.setup_code)
        clock.now_s += 3
        access.set_up(OWNER, PASSWORD, **HOME, code=access.setup_code)

    def test_an_open_hub_needs_none(self, store: Store, clock: FakeClock):
        assert not Access(store=store, clock=clock, mode=AccessMode.OPEN).needs_set_up


class TestDemonstration:
    @pytest.fixture
    def demonstration(self, store: Store, clock: FakeClock) -> Access:
        return Access(store=store, clock=clock, mode=AccessMode.DEMONSTRATION)

    def test_lets_everybody_look_and_correct_and_nobody_administer(self, demonstration: Access):
        visitor = demonstration.visitor()
        assert visitor is not None
        assert visitor.role is Role.OPERATOR
        assert demonstration.needs_set_up

    def test_goes_on_after_a_restart_with_what_its_clips_showed(
        self, demonstration: Access, store: Store, clock: FakeClock
    ):
        store.record_arrivals([Arrival("node-1", cameras={"node-1/cam": "West"})])
        again = Access(store=store, clock=clock, mode=AccessMode.DEMONSTRATION)
        assert again.visitor() is not None

    def test_ends_with_its_owner_and_with_the_streams_that_are_open(
        self, demonstration: Access, store: Store, clock: FakeClock
    ):
        era = demonstration.era
        demonstration.set_up(OWNER, PASSWORD, **HOME, code=demonstration.setup_code)
        assert demonstration.visitor() is None
        assert demonstration.era != era
        assert Access(store=store, clock=clock, mode=AccessMode.DEMONSTRATION).visitor() is None

    def test_ends_for_good_when_somebody_lets_a_camera_in(self, demonstration: Access, store: Store, clock: FakeClock):
        era = demonstration.era
        demonstration.end_demonstration()
        assert demonstration.visitor() is None
        assert demonstration.era != era
        assert Access(store=store, clock=clock, mode=AccessMode.DEMONSTRATION).visitor() is None

    def test_a_hub_that_has_cameras_already_never_becomes_one(self, store: Store, clock: FakeClock):
        store.record_arrivals([Arrival("node-1", cameras={"node-1/cam": "Entrance"})])
        assert Access(store=store, clock=clock, mode=AccessMode.DEMONSTRATION).visitor() is None

    def test_a_hub_that_was_started_as_another_in_between_is_none_any_more(
        self, demonstration: Access, store: Store, clock: FakeClock
    ):
        assert Access(store=store, clock=clock).visitor() is None
        assert Access(store=store, clock=clock, mode=AccessMode.DEMONSTRATION).visitor() is None
        assert demonstration.mode is AccessMode.DEMONSTRATION

    @pytest.mark.parametrize("mode", [AccessMode.REQUIRED, AccessMode.OPEN])
    def test_no_other_hub_is_one(self, store: Store, clock: FakeClock, mode: AccessMode):
        assert Access(store=store, clock=clock, mode=mode).visitor() is None


class TestSessions:
    def test_the_secret_is_nowhere_on_the_disk(self, access: Access, tmp_path: Path):
        secret = access.sign_in(OWNER, PASSWORD, **HOME).secret
        kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
        assert secret.encode() not in kept
        assert PASSWORD.encode() not in kept

    def test_end_when_nobody_uses_them(self, access: Access, clock: FakeClock):
        secret = access.sign_in(OWNER, PASSWORD, **HOME).secret
        clock.now_s += IDLE_S - 1
        assert access.caller_by_session(secret) is not None
        clock.now_s += IDLE_S + 1
        assert access.caller_by_session(secret) is None
        assert access.remembered(secret) is None

    def test_end_after_a_month_however_much_they_are_used(self, access: Access, clock: FakeClock):
        secret = access.sign_in(OWNER, PASSWORD, **HOME).secret
        for _ in range(round(LONGEST_S / 86_400)):
            assert access.caller_by_session(secret) is not None
            clock.now_s += 86_400
        assert access.caller_by_session(secret) is None

    def test_end_at_once_when_somebody_signs_out(self, access: Access):
        signed_in = access.sign_in(OWNER, PASSWORD, **HOME)
        caller = access.caller_by_session(signed_in.secret)
        assert caller is not None
        era = access.era
        access.sign_out(caller)
        assert access.remembered(signed_in.secret) is None
        assert access.caller_by_session(signed_in.secret) is None
        assert access.era != era

    def test_a_new_password_ends_them_all(self, access: Access):
        secret = access.sign_in(OWNER, PASSWORD, **HOME).secret
        access.accounts.set_password(1, "another good password")
        assert access.caller_by_session(secret) is None
        with pytest.raises(WrongPassword):
            access.sign_in(OWNER, PASSWORD, **HOME)

    def test_one_user_has_only_so_many(self, access: Access, clock: FakeClock):
        first = access.sign_in(OWNER, PASSWORD, **HOME).secret
        for _ in range(SESSIONS_A_USER):
            clock.now_s += 1
            access.sign_in(OWNER, PASSWORD, **HOME)
        assert access.caller_by_session(first) is None
        assert len(access.accounts.sessions_of(1)) == SESSIONS_A_USER

    def test_a_role_that_is_taken_away_is_gone_at_once(self, access: Access):
        user = access.accounts.add_user("Vera", role=Role.OPERATOR, password=PASSWORD)
        secret = access.sign_in("Vera", PASSWORD, **HOME).secret
        assert access.caller_by_session(secret)
        access.accounts.change_user(user.user_key, role=Role.VIEWER, reach=Reach.of([]))
        caller = access.remembered(secret) or access.caller_by_session(secret)
        assert caller is not None
        assert (caller.role, caller.reach.covers("node-1/cam")) == (Role.VIEWER, False)


class TestGuessing:
    def test_a_wrong_name_and_a_wrong_password_cannot_be_told_apart(self, access: Access):
        for name in (OWNER, "nobody", "", "a\u0000b"):
            with pytest.raises(WrongPassword):
                access.sign_in(name, "wrong password", **HOME)

    def test_the_owners_own_browser_gets_in_while_somebody_guesses(self, access: Access):
        known = access.sign_in(OWNER, PASSWORD, **HOME).known_browser
        for _ in range(WITH_ADDRESS.free):
            with pytest.raises(WrongPassword):
                access.sign_in(OWNER, "guess", address="192.168.0.66", browser="")
        with pytest.raises(TooManyAttempts):
            access.sign_in(OWNER, PASSWORD, address="192.168.0.66", browser="", known_browser="1.invented")
        assert access.sign_in(OWNER, PASSWORD, address="192.168.0.66", browser="", known_browser=known)


class TestTokens:
    def test_may_do_what_they_permit_until_they_end(self, access: Access, clock: FakeClock):
        _, secret = access.accounts.issue_token(
            "grafana", user_key=1, permits=[Permit.METRICS], expires_at_s=clock.now_s + 60
        )
        caller = access.caller_by_token(secret)
        assert caller is not None
        assert caller.may(Role.VIEWER, Permit.METRICS)
        assert not caller.may(Role.VIEWER, Permit.PEOPLE_READ)
        assert not caller.may(Role.VIEWER)
        clock.now_s += 61
        assert access.remembered(secret) is None
        assert access.caller_by_token(secret) is None

    def test_go_with_their_owner(self, access: Access):
        user = access.accounts.add_user("Vera", role=Role.VIEWER, password=PASSWORD)
        _, secret = access.accounts.issue_token("t", user_key=user.user_key, permits=[Permit.SITE_READ])
        assert access.caller_by_token(secret)
        access.accounts.remove_user(user.user_key)
        assert access.remembered(secret) is None
        assert access.caller_by_token(secret) is None


class TestAccounts:
    def test_names_are_unique_however_they_are_spaced(self, access: Access):
        with pytest.raises(NameTaken):
            access.accounts.add_user(f"  {OWNER.replace(' ', '   ')} ", role=Role.VIEWER, password=PASSWORD)

    def test_an_admin_who_sees_every_camera_stays(self, access: Access):
        access.accounts.add_user("Half", role=Role.ADMIN, reach=Reach.of(["node-1"]), password=PASSWORD)
        with pytest.raises(LastAdmin):
            access.accounts.change_user(1, reach=Reach.of(["node-1"]))
        with pytest.raises(LastAdmin):
            access.accounts.remove_user(1)


class TestAudit:
    def test_is_bounded_by_age_and_number(self, store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(audit_module, "KEPT_ENTRIES", 5)
        audit = Audit(store=store, clock=clock)
        for number in range(10):
            audit.record(None, "hub.test", str(number))
        audit.sweep()
        assert [entry.subject for entry in audit.entries()] == ["9", "8", "7", "6", "5"]
        clock.now_s += audit_module.KEPT_S + 1
        audit.sweep()
        assert audit.entries() == []

    def test_is_read_in_pages_and_by_kind(self, store: Store, clock: FakeClock):
        audit = Audit(store=store, clock=clock)
        for action in ("person.look", "user.add", "person.merge"):
            audit.record(None, action, "ada")
        [newest] = audit.entries(1, action="person.")
        [older] = audit.entries(1, action="person.", before=newest.entry_id)
        assert (newest.action, older.action) == ("person.merge", "person.look")
