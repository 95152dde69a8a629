"""The port that every channel implements, and what goes through it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from schemas.clock import Micros
from schemas.errors import BusinessRuleError, SinkUnavailable
from schemas.events import Alert


class RecipientUnavailable(SinkUnavailable):
    """The server is well, but takes nothing for this recipient now (greylisting, a full mailbox)."""


class NotSent(SinkUnavailable):
    """The other side certainly has nothing: it could not be reached, or said that it takes nothing now."""


class Refused(BusinessRuleError):
    """The channel itself decided not to send. Nothing is wrong with the receiver, and trying again changes nothing."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where one notification goes. Only `identity` and `shown` may be stored or logged.

    Attributes:
        identity: what the notification id is made of: the same for the same recipient, whatever its secrets are now.
        shown: for receipts and logs, without secrets.
        destination: what fails as a whole, such as a mail server. Its addresses are backed off together.
        target: mail address, phone number or URL, resolved.
        params: the action's other parameters, resolved.
        secrets: values that must not show up in details, whoever echoes them.
    """

    identity: str
    shown: str
    destination: str
    target: str = field(repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Notification:
    """One alert for one recipient through one channel.

    Attributes:
        notification_id: uuid5 of alert, channel and recipient; receivers may deduplicate by it.
        channel: name of the channel.
        address: the recipient.
        alert: what to tell.
    """

    notification_id: str
    channel: str
    address: Address
    alert: Alert


class Channel(Protocol):
    """A way to reach people. One object serves the process; its calls run concurrently."""

    name: ClassVar[str]
    """As in the ``type`` of a rule's action."""

    def addresses(self, params: Mapping[str, str], environment: Mapping[str, str]) -> tuple[Address, ...]:
        """The recipients that an action's parameters name, or the settings' default ones. Does no I/O.

        Args:
            params: as the rule wrote them; ``${NAME}`` stands for a variable of the environment.
            environment: where the variables are looked up.

        Raises:
            SettingMissing: a variable or a setting that is needed is not set.
            ConfigError: what is there cannot be an address.
        """

    async def send(self, notification: Notification) -> str:
        """Deliver once, within the settings' time-out.

        Returns:
            What the other side answered, for the receipt; without secrets.

        Raises:
            RecipientUnavailable: it may work later, and other recipients of the destination are not concerned.
            SinkUnavailable: it may work later; the destination does not work for anybody now.
            SinkRejected: it never will.
        """

    async def close(self) -> None:
        """Let connections go."""


class AtMostOnce(ABC):
    """A channel whose repeats do harm, since it moves something in the world (a barrier).

    Its notifications are sent once or not at all: what may have been sent before (an alert that stood in the log
    before this process took the partition over, one that waited through a restart, a replayed one) is refused, and a
    refusal is as final as a delivery.
    """

    @abstractmethod
    def refusal(self, notification: Notification, now: Micros) -> str:
        """Why it must not be sent now; empty when it may be."""

    @abstractmethod
    def valid_until(self, notification: Notification) -> Micros:
        """When it is too late for it, wall clock."""
