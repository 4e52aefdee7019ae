"""A message in the form that mail servers and mail readers take (RFC 5322)."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid, parseaddr

from albert.api.mail.contract import Mail
from albert.domain.errors import MailNotSent


def message_of(mail: Mail, sender: str) -> EmailMessage:
    """Return the message.

    Raises:
        MailNotSent: an address or the subject has a line break, which would forge a header.
    """
    message = EmailMessage()
    try:
        message["From"] = sender
        message["To"] = mail.to
        message["Subject"] = mail.subject
        if mail.reply_to:
            message["Reply-To"] = mail.reply_to
    except ValueError:
        raise MailNotSent from None  # what it says quotes the header
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2] or "albert")
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: absences are not answered to us
    message.set_content(mail.text)
    return message
