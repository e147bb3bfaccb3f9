"""Every page's address in one place; what each needs and does stands in the module of the page."""

from collections.abc import Callable

from litestar import Response, get

from ruid_hub.access import Role
from ruid_hub.api.given import Given
from ruid_hub.api.guards import requires
from ruid_hub.pages import (
    audit,
    by_picture,
    cameras,
    counts,
    entry,
    integrations,
    people,
    person,
    settings,
    sign,
    sites,
)
from ruid_hub.pages.look import Look, html
from ruid_hub.site import Site


@get("/", guards=[requires(Role.VIEWER)], sync_to_thread=False, include_in_schema=False)
def live_page(look: Given[Look], site: Given[Site], clock: Given[Callable[[], float]]) -> Response[str]:
    """The live picture of the cameras within reach; the stream follows from there."""
    view = site.view(clock(), sees=look.sees)
    return html(look.templates.live_page(view, look.frame("live")))


PAGES = (
    live_page,
    people.people_page,
    people.review_page,
    people.answer_review,
    people.lookalikes_page,
    people.sighting_lookalikes_page,
    by_picture.find_by_picture,
    by_picture.find_by_person,
    person.person_page,
    person.why_page,
    person.rename,
    person.merge,
    person.correct_sightings,
    person.erase,
    person.undo,
    counts.counts_page,
    counts.adjust,
    cameras.cameras_page,
    cameras.approve,
    cameras.reject,
    cameras.rename_node,
    cameras.revoke,
    cameras.camera_page,
    cameras.still,
    cameras.save_shapes,
    cameras.save_settings,
    settings.settings_page,
    settings.end_session,
    settings.add_user,
    settings.change_user,
    settings.issue_token,
    settings.revoke_token,
    settings.save_counting,
    settings.save_retention,
    sign.sign_page,
    sites.sites_page,
    sites.save,
    sites.assign,
    sites.remove,
    integrations.integrations_page,
    integrations.save,
    integrations.remove,
    integrations.try_out,
    audit.audit_page,
    entry.login_page,
    entry.setup_page,
)
