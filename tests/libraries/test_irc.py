from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from tests.libraries.peers import ngircd

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender
    from tests.libraries.peers import Peers


def test_what_is_said_in_a_room_lands_in_a_text(blender: Blender, peers: Peers) -> None:
    server = peers.address(ngircd)
    host, port = server.split(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        ada = connection.makefile("rw", encoding="utf-8", newline="\r\n")
        ada.write("NICK ada\r\nUSER ada 0 * :Ada\r\nJOIN #blender\r\n")
        ada.flush()
        blender.run("irc", IRC_SERVER=server)
        next(line for line in ada if line.startswith(":suzanne!") and "JOIN" in line)
        ada.write("PRIVMSG #blender :The dragon is done \N{DRAGON}\r\n")
        ada.write("PRIVMSG #blender :!objects\r\n")
        ada.flush()
        answer = next(line for line in ada if line.startswith(":suzanne!") and "PRIVMSG" in line)
        assert answer.endswith(":Camera, Cube, Light\r\n")
        noted = "bpy.data.texts['#blender'].as_string()"
        assert blender.evaluate(noted) == ("ada: The dragon is done \N{DRAGON}\nada: !objects\n")
        blender.stop()
        assert any(line.startswith(":suzanne!") and "QUIT" in line for line in ada)
