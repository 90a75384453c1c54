"""Asks a broker, in Kafka's protocol, which brokers the cluster has. Standard library only."""
import socket
import struct

METADATA = 3


class ProbeError(Exception):
    """The broker does not answer, or not yet as a member of a cluster."""


def _string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def _receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ProbeError("the connection was closed")
        data += part
    return data


def _brokers_of(body):
    """The (id, host, port) list of a Metadata response of version 1, and the controller's id."""
    at = 4
    (count,) = struct.unpack_from(">i", body, at)
    at += 4
    brokers = []
    for _ in range(count):
        node, size = struct.unpack_from(">ih", body, at)
        at += 6
        host = body[at : at + size].decode()
        at += size
        port, rack = struct.unpack_from(">ih", body, at)
        at += 6 + max(rack, 0)
        brokers.append((node, host, port))
    (controller,) = struct.unpack_from(">i", body, at)
    return brokers, controller


def brokers(host, port, timeout=1.0):
    """Returns ([(id, host, port)], controller id) as this broker knows them; -1 is no controller."""
    # Version 1, correlation 1, our name, an empty list of topics: brokers only.
    request = struct.pack(">hhi", METADATA, 1, 1) + _string("garam-dev") + struct.pack(">i", 0)
    try:
        with socket.create_connection((host, port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(struct.pack(">i", len(request)) + request)
            (size,) = struct.unpack(">i", _receive(connection, 4))
            return _brokers_of(_receive(connection, size))
    except (OSError, struct.error) as error:
        raise ProbeError(str(error)) from error
