from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

from aiosmtpd.controller import Controller

from tests.libraries.server import free_port

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session

    from tests.libraries.blenders import Blender


PANEL = Path(__file__).parents[2] / "docs" / "images" / "panel.png"


class Relay:
    """Keeps the mail that it is to pass on."""

    def __init__(self) -> None:
        self.mails: Queue[bytes] = Queue()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        assert envelope.rcpt_tos == ["ada@example.org"]
        self.mails.put(envelope.content)
        return "250 OK"


def test_a_picture_in_a_mail_becomes_an_image_and_its_sender_is_told(blender: Blender) -> None:
    relay = Relay()
    controller = Controller(relay, "127.0.0.1", free_port())
    controller.start()
    try:
        port = free_port()
        blender.run("mail", MAIL_PORT=port, MAIL_RELAY=f"127.0.0.1:{controller.port}")
        blender.wait_until_it_listens(port)
        mail = EmailMessage()
        mail["From"], mail["To"] = "ada@example.org", "blender@example.org"
        mail["Subject"] = "The panel"
        mail.set_content("As promised.")
        mail.add_attachment(PANEL.read_bytes(), "image", "png", filename="../mailed.png")
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.send_message(mail)
        answer = relay.mails.get(timeout=30)
    finally:
        controller.stop()

    assert b"Subject: Re: The panel" in answer
    assert b"In Blender now: mailed.png." in answer
    size = "bpy.data.images['mailed.png'].packed_file.size"
    assert blender.evaluate(size) == PANEL.stat().st_size
    blender.stop()
