"""Topics for hits: made when first needed, with the right to read them."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it lists nothing in __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from lasair_broker.settings import DeliverySettings

from ._sender import DeliveryError

__all__ = ["KafkaAccess", "Topics"]

_log = structlog.get_logger(__name__)

_SECONDS = 30.0
_ITERATIONS = 8192
_NO_ACLS = (KafkaError.SECURITY_DISABLED, KafkaError.UNSUPPORTED_VERSION)


class Topics:
    """Makes topics and lets their readers in.

    A topic for everybody gets an ACL for ``User:*``; one with readers, an ACL for each of them. A cluster
    without an authorizer keeps no ACLs, and then everybody reads everything: that is said in the log, once.
    """

    def __init__(self, settings: DeliverySettings) -> None:
        self._settings = settings
        self._admin = AdminClient(settings.librdkafka())
        self._made: set[tuple[str, tuple[str, ...] | None]] = set()

    def make(self, topic: str, readers: tuple[str, ...] | None, *, compacted: bool = False) -> None:
        """See to it that the topic is there and that its readers may read it.

        Raises
        ------
        DeliveryError
            If Kafka does not answer or refuses.
        """
        if (topic, readers) in self._made:
            return
        self._create(topic, compacted)
        self._let_in(topic, ("*",) if readers is None else readers)
        self._made.add((topic, readers))

    def _create(self, topic: str, compacted: bool) -> None:
        milliseconds = round(self._settings.topic_days * 86_400_000)
        kept = {"cleanup.policy": "compact"} if compacted else {"retention.ms": str(milliseconds)}
        partitions = 1 if compacted else self._settings.topic_partitions
        new = NewTopic(topic, partitions, self._settings.topic_replication, config=kept)
        try:
            self._admin.create_topics([new], request_timeout=_SECONDS)[topic].result(_SECONDS)
        except (KafkaException, TimeoutError) as error:
            if _code(error) != KafkaError.TOPIC_ALREADY_EXISTS:
                raise DeliveryError(f"Kafka: the topic {topic} could not be made ({_words(error)})") from None

    def _let_in(self, topic: str, readers: Sequence[str]) -> None:
        _add_acls(
            self._admin,
            [
                _acl(ResourceType.TOPIC, topic, reader, operation)
                for reader in readers
                for operation in (AclOperation.READ, AclOperation.DESCRIBE)
            ],
        )


class KafkaAccess:
    """Gives people and collaborations a login to Kafka, with the operator's own rights.

    Raises
    ------
    DeliveryError
        From every method, if Kafka refuses or keeps no SCRAM users.
    """

    def __init__(self, settings: DeliverySettings) -> None:
        if not settings.bootstrap:
            raise DeliveryError("this installation has no Kafka for hits (setting delivery.bootstrap)")
        self._admin = AdminClient(settings.librdkafka())

    def set_password(self, principal: str, password: str) -> None:
        """Let a SCRAM user in with this password, instead of an earlier one; groups whose names begin with
        the user's name and a dot are the user's own."""
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
        self._alter(UserScramCredentialUpsertion(principal, scram, password.encode()), principal)
        own = (ResourceType.GROUP, f"{principal}.")
        read, prefix = AclOperation.READ, ResourcePatternType.PREFIXED
        _add_acls(
            self._admin,
            [
                _acl(*own, principal, read, prefix),
                _acl(*own, "ANONYMOUS", read, prefix, AclPermissionType.DENY),
            ],
        )

    def remove(self, principal: str) -> None:
        """Let a SCRAM user in no longer."""
        self._alter(UserScramCredentialDeletion(principal, ScramMechanism.SCRAM_SHA_512), principal)

    def let_everybody_in(self) -> None:
        """Let those without a login consume with any group but those of logins, as Lasair's client does."""
        _add_acls(self._admin, [_acl(ResourceType.GROUP, "*", "ANONYMOUS", AclOperation.READ)])

    def _alter(
        self, change: UserScramCredentialUpsertion | UserScramCredentialDeletion, principal: str
    ) -> None:
        try:
            done = self._admin.alter_user_scram_credentials([change], request_timeout=_SECONDS)
            done[principal].result(_SECONDS)
        except (KafkaException, TimeoutError) as error:
            raise DeliveryError(f"Kafka: the login {principal} was not changed ({_words(error)})") from None


def _acl(
    kind: ResourceType,
    name: str,
    principal: str,
    operation: AclOperation,
    pattern: ResourcePatternType = ResourcePatternType.LITERAL,
    permission: AclPermissionType = AclPermissionType.ALLOW,
) -> AclBinding:
    return AclBinding(kind, name, pattern, f"User:{principal}", "*", operation, permission)


def _add_acls(admin: AdminClient, acls: Sequence[AclBinding]) -> None:
    for acl, done in admin.create_acls(list(acls), request_timeout=_SECONDS).items():
        try:
            done.result(_SECONDS)
        except (KafkaException, TimeoutError) as error:
            if _code(error) in _NO_ACLS:
                _log.info("this Kafka keeps no ACLs: everybody may read every topic", resource=acl.name)
                return
            raise DeliveryError(f"Kafka: no right to read {acl.name} was given ({_words(error)})") from None


def _code(error: BaseException) -> int | None:
    return error.args[0].code() if isinstance(error, KafkaException) else None


def _words(error: BaseException) -> str:
    return str(error.args[0].str()) if isinstance(error, KafkaException) else "no answer"
