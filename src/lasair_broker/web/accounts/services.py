"""What is done with people and their collaborations."""

from __future__ import annotations

from django.db import transaction
from django.utils.text import slugify

from lasair_broker.web.accounts.entry import note_verified
from lasair_broker.web.accounts.models import Collaboration, Membership, Role, User
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound
from lasair_broker.web.sharing import save_checked


@transaction.atomic
def create_user(
    username: str, email: str, password: str | None = None, *, administrator: bool = False
) -> User:
    """A new user; without a password, one who cannot log in with any. For whoever runs the installation.

    Raises
    ------
    Invalid
        If the name or the address is taken, in any case, or no name or address.
    """
    made = User(
        username=username.strip(),
        email=email.strip().lower(),
        is_staff=administrator,
        is_superuser=administrator,
    )
    made.set_password(password)
    save_checked(made)
    note_verified(made)
    return made


@transaction.atomic
def create_collaboration(
    user: User, name: str, description: str = "", *, listed: bool = False
) -> Collaboration:
    """A new collaboration that the user manages.

    Raises
    ------
    Invalid
        If the name is taken or empty.
    """
    made = Collaboration(name=name.strip(), slug=slugify(name)[:50], description=description, listed=listed)
    save_checked(made)
    Membership.objects.create(user=user, collaboration=made, role=Role.MANAGER)
    return made


def _managed(user: User, slug: str) -> Collaboration:
    found = Collaboration.objects.editable_by(user).filter(slug=slug).first()
    if found is None:
        if Collaboration.objects.visible_to(user).filter(slug=slug).exists():
            raise NotAllowed(f"you do not manage the collaboration {slug}")
        raise NotFound(f"there is no collaboration {slug}")
    return found


@transaction.atomic
def set_member(user: User, slug: str, username: str, role: str = Role.MEMBER) -> Membership:
    """Admit a member, or change a member's role.

    Raises
    ------
    NotFound, NotAllowed
        If the collaboration is not there, or not the user's to manage; NotFound if there is no such person.
    Invalid
        If the role is unknown, or the last manager would be gone.
    """
    collaboration = _managed(user, slug)
    if role not in Role.values:
        raise Invalid({"role": f"choose {', '.join(Role.values)}"})
    person = User.objects.filter(username__iexact=username, is_active=True).first()
    if person is None:
        raise NotFound(f"there is no user {username}")
    if role != Role.MANAGER:
        _keep_a_manager(collaboration, person)
    membership, _ = Membership.objects.update_or_create(
        user=person, collaboration=collaboration, defaults={"role": role}
    )
    return membership


@transaction.atomic
def remove_member(user: User, slug: str, username: str) -> None:
    """Remove a member; anybody may leave.

    Raises
    ------
    NotFound, NotAllowed, Invalid
        As `set_member`.
    """
    leaving = user.username.lower() == username.lower()
    own = Collaboration.objects.filter(slug=slug, memberships__user=user).first() if leaving else None
    collaboration = own or _managed(user, slug)
    membership = collaboration.memberships.filter(user__username__iexact=username).first()
    if membership is None:
        raise NotFound(f"{username} is not a member of {collaboration.name}")
    _keep_a_manager(collaboration, membership.user)
    membership.delete()


def _keep_a_manager(collaboration: Collaboration, without: User) -> None:
    managers = list(collaboration.memberships.filter(role=Role.MANAGER).values_list("user", flat=True))
    if managers == [without.pk]:
        raise Invalid({"role": f"{without.username} is the only manager; make another first"})
