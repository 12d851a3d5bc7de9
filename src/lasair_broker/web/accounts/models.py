"""People and their collaborations."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, AnonymousUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower


class UserManager(BaseUserManager["User"]):
    """Creates users, who are known by their e-mail address."""

    def create_user(self, email: str, username: str, password: str | None = None, **fields: Any) -> User:
        """A new user; without a password, one who cannot log in with any."""
        if not email:
            raise ValueError("an e-mail address is needed")
        user = self.model(email=email.strip().lower(), username=username, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, username: str, password: str | None = None, **fields: Any) -> User:
        """A new user who may do everything."""
        return self.create_user(
            email, username, password, **{**fields, "is_staff": True, "is_superuser": True}
        )

    def get_by_natural_key(self, username: str | None) -> User:
        """The user of this address, in whatever case it is written."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractUser):
    """A person: logs in with an e-mail address that nobody else sees, and is shown by the username."""

    class Tier(models.TextChoices):
        """How much a user may ask for at once."""

        USER = "user", "usual limits"
        POWER = "power", "large queries"

    email = models.EmailField("e-mail address", unique=True)
    username = models.CharField(
        max_length=64,
        unique=True,
        validators=[RegexValidator(r"^[\w][\w.\-]*$", "letters, digits, and . - _ after the first")],
        help_text="Shown to others.",
    )
    tier = models.CharField(max_length=8, choices=Tier, default=Tier.USER)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["username"]

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]  # ours is keyed by e-mail

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("email"), name="accounts_user_email_any_case"),
            models.UniqueConstraint(Lower("username"), name="accounts_user_username_any_case"),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = self.email.strip().lower()
        super().save(*args, **kwargs)

    def __str__(self) -> str:
        return self.username


class CollaborationQuerySet(models.QuerySet["Collaboration"]):
    """Collaborations, narrowed to what a user may see or manage."""

    def visible_to(self, user: User | AnonymousUser | None) -> CollaborationQuerySet:
        """Listed ones and the user's own."""
        if user is None or not user.is_authenticated or not user.is_active:
            return self.filter(listed=True)
        if user.is_superuser:
            return self.all()
        return self.filter(models.Q(listed=True) | models.Q(pk__in=user.memberships.values("collaboration")))

    def editable_by(self, user: User | AnonymousUser | None) -> CollaborationQuerySet:
        """Those the user manages."""
        if user is None or not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self.all()
        return self.filter(pk__in=user.memberships.filter(role=Role.MANAGER).values("collaboration"))


class Role(models.TextChoices):
    """What a member of a collaboration may do."""

    MEMBER = "member", "sees what the collaboration shares"
    EDITOR = "editor", "also changes it"
    MANAGER = "manager", "also admits and removes members"


EDITING_ROLES = (Role.EDITOR, Role.MANAGER)


class Collaboration(models.Model):
    """People who share filters, lists, maps, annotators and private topics, such as a survey's team."""

    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=50, unique=True, help_text="Begins the names of its topics.")
    description = models.TextField(blank=True)
    listed = models.BooleanField(default=False, help_text="Others may know that it exists.")
    kafka_principal = models.CharField(
        max_length=255, blank=True, help_text="SASL user or certificate that may read its topics."
    )
    members: models.ManyToManyField[User, Membership] = models.ManyToManyField(
        User, through="Membership", related_name="collaborations"
    )
    created = models.DateTimeField(auto_now_add=True)

    objects = CollaborationQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user in a collaboration."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    collaboration = models.ForeignKey(Collaboration, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role, default=Role.MEMBER)
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "collaboration"], name="accounts_membership_once")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.collaboration}"


class CacheEntry(models.Model):
    """What Django's cache keeps, so that all processes of the site count attempts together; the columns are
    those that its database backend wants."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "lasair_cache"

    def __str__(self) -> str:
        return self.cache_key


class UserDatabase(models.Model):
    """This database among all others: one row, with a number drawn when it was first used with an archive,
    which keeps it, too."""

    number = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.number)
