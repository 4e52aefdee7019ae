"""Which driver carries our mail: Mailjet, SMTP, or a folder."""

from __future__ import annotations

from pathlib import Path

from albert.api.mail.contract import Mailer
from albert.api.mail.folder import FolderMailer
from albert.api.mail.smtp import SmtpMailer, SmtpServer
from albert.domain.errors import SettingInvalid
from albert.settings import Settings


def mailer_of(settings: Settings, folder: Path) -> Mailer:
    """Return the carrier that the settings name; without any, mail is kept in ``folder``.

    Raises:
        SettingInvalid: Mailjet has a key without its secret, or the other way round.
    """
    key = settings.mj_api_key.get_secret_value()
    secret = settings.mj_api_secret.get_secret_value()
    if bool(key) != bool(secret):
        raise SettingInvalid("MJ_API_KEY et MJ_API_SECRET vont ensemble : donnez les deux.")
    if key:
        from albert.api.mail.mailjet import MailjetAccount, MailjetMailer  # and its HTTP client

        account = MailjetAccount(url=settings.mailjet_url, key=key, secret=secret)
        return MailjetMailer(account, settings.mail_from)
    if settings.smtp_host:
        server = SmtpServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            user=settings.smtp_user,
            password=settings.smtp_password.get_secret_value(),
            tls=settings.smtp_tls,
        )
        return SmtpMailer(server, settings.mail_from)
    return FolderMailer(folder, settings.mail_from)
