"""Signing in with an identity provider, and everything that it must not be fooled by."""

import time
from collections.abc import Mapping
from typing import Any

import pytest

from access_fakes import OWNER, PASSWORD
from hub_fakes import FakeClock
from openid_fakes import ISSUER, FakeProvider
from ruid_hub.access import Access, NoRole, OpenIdError, Reach, Role, Vouched, WrongPassword, reach_of, roles_of
from ruid_hub.access.door import VOUCHED_S
from ruid_hub.access.openid import FLOW_S, KEYS_NOT_BEFORE_S, NotVouchedFor, OpenId
from ruid_hub.access.values import EVERYWHERE
from ruid_hub.store import Store

HOME = {"address": "192.168.0.2", "browser": "Firefox"}
BACK = "https://hub.lan/login/oidc/callback"


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


async def sign_in(
    provider: FakeProvider, openid: OpenId | None = None, *, changed: Mapping[str, str] | None = None
) -> Vouched:
    openid = openid or provider.openid()
    begun = await openid.begin(redirect_uri=BACK, onward="/people")
    return await openid.finish({**provider.visit(begun.address), **(changed or {})}, carried=begun.carried)


@pytest.mark.asyncio
class TestOpenId:
    async def test_somebody_whom_the_provider_vouches_for_comes_in_with_the_role_of_their_group(
        self, provider: FakeProvider
    ):
        assert await sign_in(provider) == Vouched(f"{ISSUER} u-1", "vera", Role.OPERATOR, "/people")

    async def test_the_highest_of_several_roles_counts_and_everybody_may_have_one(self, provider: FakeProvider):
        provider.user["groups"] = ["staff", "admins", 7]
        assert (await sign_in(provider)).role is Role.ADMIN
        provider.user["groups"] = None
        assert (await sign_in(provider, provider.openid(roles=roles_of("*=viewer; admins=admin")))).role is Role.VIEWER
        with pytest.raises(NoRole):
            await sign_in(provider)

    async def test_what_may_be_seen_comes_from_the_groups_too_where_they_are_mapped_to_it(self, provider: FakeProvider):
        openid = provider.openid(reach=reach_of("north=site:north; door=node-1/cam site:main; admins=everywhere"))
        provider.user["groups"] = ["staff", "north", "door"]
        assert (await sign_in(provider, openid)).reach == Reach.of({"site:north", "site:main", "node-1/cam"})
        provider.user["groups"] = ["staff", "north", "admins"]
        assert (await sign_in(provider, openid)).reach == EVERYWHERE

    async def test_a_role_without_anything_to_see_lets_nobody_in(self, provider: FakeProvider):
        with pytest.raises(NoRole, match="any camera"):
            await sign_in(provider, provider.openid(reach=reach_of("north=site:north")))

    async def test_groups_and_name_may_stand_in_the_userinfo_alone(self, provider: FakeProvider):
        provider.user = {"sub": "u-1"}
        provider.userinfo = {"sub": "u-1", "preferred_username": "vera", "groups": ["admins"]}
        vouched = await sign_in(provider)
        assert (vouched.name, vouched.role) == ("vera", Role.ADMIN)
        provider.userinfo["sub"] = "somebody else"
        with pytest.raises(NotVouchedFor):
            await sign_in(provider)

    async def test_a_secret_may_be_posted_where_the_provider_wants_that(self, provider: FakeProvider):
        provider.discovered["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        assert (await sign_in(provider)).name == "vera"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"iss": "https://elsewhere.example"},
            {"aud": "another program"},
            {"aud": None},
            {"nonce": "another"},
            {"nonce": None},
            {"sub": None},
            {"exp": 1000},
            {"exp": None},
            {"iat": time.time() + 86_400},
            {"azp": "another program", "aud": ["ruid-hub", "another program"]},
        ],
    )
    async def test_a_token_for_somebody_else_another_time_or_another_hub_is_refused(
        self, provider: FakeProvider, wrong: dict[str, Any]
    ):
        provider.wrong = wrong
        with pytest.raises(NotVouchedFor):
            await sign_in(provider)

    @pytest.mark.parametrize("algorithm", ["none", "HS256"])
    async def test_a_token_without_a_signature_of_a_key_pair_is_refused(self, provider: FakeProvider, algorithm: str):
        provider.algorithm = algorithm
        provider.sign_with = "" if algorithm == "none" else "the client's secret: 100 % and more"
        with pytest.raises(NotVouchedFor):
            await sign_in(provider)

    async def test_a_token_of_another_key_is_refused(self, provider: FakeProvider):
        provider.sign_with = FakeProvider().key
        with pytest.raises(NotVouchedFor):
            await sign_in(provider)

    async def test_a_new_key_of_the_provider_is_fetched_but_not_again_and_again(self, provider: FakeProvider):
        openid = provider.openid()
        await sign_in(provider, openid)
        provider.key_id, provider.shown_key_ids = "k2", ["k2"]
        with pytest.raises(NotVouchedFor):
            await sign_in(provider, openid)
        provider.clock.now_s += KEYS_NOT_BEFORE_S + 1
        await sign_in(provider, openid)
        assert provider.asked.count("/keys") == 2
        assert provider.asked.count("/.well-known/openid-configuration") == 1

    @pytest.mark.parametrize(
        "changed", [{"state": "another"}, {"state": ""}, {"iss": "https://elsewhere.example"}, {"code": "stolen"}]
    )
    async def test_an_answer_to_another_sign_in_is_refused(self, provider: FakeProvider, changed: dict[str, str]):
        with pytest.raises(NotVouchedFor):
            await sign_in(provider, changed=changed)

    async def test_another_browser_cannot_finish_what_this_one_began(self, provider: FakeProvider):
        openid = provider.openid()
        mine, theirs = [await openid.begin(redirect_uri=BACK, onward="/") for _ in range(2)]
        answer = provider.visit(mine.address)
        for carried in ("", "invented", theirs.carried):
            with pytest.raises(NotVouchedFor):
                await openid.finish(answer, carried=carried)

    async def test_whoever_takes_too_long_begins_again(self, provider: FakeProvider):
        openid = provider.openid()
        begun = await openid.begin(redirect_uri=BACK, onward="/")
        answer = provider.visit(begun.address)
        provider.clock.now_s += FLOW_S + 1
        with pytest.raises(NotVouchedFor):
            await openid.finish(answer, carried=begun.carried)

    @pytest.mark.parametrize(
        "discovered",
        [
            {"issuer": "https://elsewhere.example"},
            {"token_endpoint": "http://login.example.org/token"},
            {"jwks_uri": ""},
        ],
    )
    async def test_a_discovery_document_that_cannot_be_trusted_ends_it(
        self, provider: FakeProvider, discovered: dict[str, str]
    ):
        provider.discovered = discovered
        with pytest.raises(NotVouchedFor):
            await sign_in(provider)

    async def test_a_provider_that_is_away_is_said_to_be(self, provider: FakeProvider):
        provider.away = True
        with pytest.raises(OpenIdError, match="cannot be asked"):
            await sign_in(provider)


@pytest.mark.parametrize("text", ["admins", "=admin", "admins=emperor", "a=admin; b", "a="])
def test_a_mapping_that_makes_no_sense_is_refused(text: str):
    with pytest.raises(ValueError, match=r".+"):
        roles_of(text)


@pytest.mark.parametrize("text", ["north", "=site:north", "north=", "north= ;"])
def test_a_group_that_gets_nothing_to_see_is_a_mistake(text: str):
    with pytest.raises(ValueError, match=r".+"):
        reach_of(text)


class TestVouchedUsers:
    @pytest.fixture
    def access(self, store: Store) -> Access:
        access = Access(store=store, clock=FakeClock())
        access.set_up(OWNER, PASSWORD, **HOME)
        return access

    def test_are_made_at_the_first_time_and_known_again_whatever_they_are_called(self, access: Access):
        first = access.sign_in_vouched(Vouched("i u-1", "vera", Role.VIEWER, "/"), **HOME)
        again = access.sign_in_vouched(Vouched("i u-1", "vera the second", Role.OPERATOR, "/"), **HOME)
        assert (first.caller.user_key, first.caller.role) == (again.caller.user_key, Role.VIEWER)
        assert (again.caller.name, again.caller.role) == ("vera", Role.OPERATOR)
        assert not access.accounts.user(first.caller.user_key).has_password

    def test_see_what_the_provider_says_today_and_else_what_an_admin_said(self, access: Access):
        north, south = Reach.of({"site:north"}), Reach.of({"site:south"})
        user_key = access.sign_in_vouched(Vouched("i u-1", "vera", Role.VIEWER, "/", north), **HOME).caller.user_key
        assert access.accounts.user(user_key).reach == north
        access.sign_in_vouched(Vouched("i u-1", "vera", Role.VIEWER, "/", south), **HOME)
        assert access.accounts.user(user_key).reach == south
        access.sign_in_vouched(Vouched("i u-1", "vera", Role.VIEWER, "/"), **HOME)
        assert access.accounts.user(user_key).reach == south

    def test_who_sees_less_than_before_sees_it_nowhere_any_more(self, access: Access):
        north = Reach.of({"site:north"})
        before = access.sign_in_vouched(Vouched("i u-1", "vera", Role.VIEWER, "/"), **HOME)
        assert access.caller_by_session(before.secret)
        access.sign_in_vouched(Vouched("i u-1", "vera", Role.VIEWER, "/", north), **HOME)
        assert access.remembered(before.secret) is None
        still = access.caller_by_session(before.secret)
        assert still is not None
        assert not still.reach.everywhere

    def test_never_become_somebody_whom_the_hub_knows_already(self, access: Access):
        access.accounts.add_user("vera", role=Role.ADMIN, password=None)
        vouched = access.sign_in_vouched(Vouched("i u-1", OWNER, Role.VIEWER, "/"), **HOME)
        other = access.sign_in_vouched(Vouched("i u-2", "vera", Role.VIEWER, "/"), **HOME)
        assert (vouched.caller.name, vouched.caller.role) == (f"{OWNER} 2", Role.VIEWER)
        assert (other.caller.name, other.caller.role) == ("vera 2", Role.VIEWER)

    def test_have_no_password_to_guess(self, access: Access):
        access.sign_in_vouched(Vouched("i u-1", "vera", Role.VIEWER, "/"), **HOME)
        with pytest.raises(WrongPassword):
            access.sign_in("vera", "", **HOME)

    def test_are_asked_at_the_provider_again_after_half_a_day(self, store: Store):
        clock = FakeClock()
        access = Access(store=store, clock=clock)
        access.set_up(OWNER, PASSWORD, **HOME)
        secret = access.sign_in_vouched(Vouched("i u-1", "vera", Role.VIEWER, "/"), **HOME).secret
        assert access.caller_by_session(secret)
        clock.now_s += VOUCHED_S + 1
        assert access.remembered(secret) is None
        assert access.caller_by_session(secret) is None
