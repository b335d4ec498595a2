# Asks a resolver all kinds of questions with fixed ids and prints each answer as hexadecimal digits, so that two runs can
# be compared to the byte.
import socket, struct, sys

server = sys.argv[1]


def name(text):
    return b"".join(bytes([len(l)]) + l.encode() for l in text.split(".") if l) + b"\0"


def query(number, text, kind, size=None, secure=False, flags=0x0100):
    message = struct.pack(">HHHHHH", number, flags, 1, 0, 0, 0 if size is None else 1)
    message += name(text) + struct.pack(">HH", kind, 1)
    if size is not None:
        # EDNS with a cookie-like option of the local kind, which must get there too.
        option = struct.pack(">HH", 65001, 4) + b"test"
        message += b"\0" + struct.pack(">HHIH", 41, size, 0x8000 if secure else 0, len(option)) + option
    return message


queries = []
for text in ["db.test", "Db.TeSt", "a.shop.test", "nothing.test", "long.test", "short.test"]:
    for kind in [1, 28, 16, 15, 65, 255]:
        queries.append(query(len(queries) + 7, text, kind))
queries.append(query(900, "db.test", 1, 1232, True))
queries.append(query(901, "long.test", 16, 4096, False))
queries.append(query(902, "long.test", 16, 4096, True))
queries.append(query(903, "long.test", 16, 512, True))
queries.append(query(904, "db.test", 1, 1232, True, 0x0110))
# A question of another class, and another kind of query: the resolver's business.
queries.append(struct.pack(">HHHHHH", 905, 0x0100, 1, 0, 0, 0) + name("version.bind") + struct.pack(">HH", 16, 3))
queries.append(struct.pack(">HHHHHH", 906, 0x2100, 1, 0, 0, 0) + name("db.test") + struct.pack(">HH", 1, 1))

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect((server, 53))
udp.settimeout(2)
for message in queries:
    udp.send(message)
    try:
        answer = udp.recv(65535)
    except socket.timeout:
        answer = b""
    print("udp", answer.hex(), "truncated" if len(answer) > 2 and answer[2] & 2 else "")

# All over one connection, written at once.
tcp = socket.create_connection((server, 53))
tcp.settimeout(5)
tcp.sendall(b"".join(struct.pack(">H", len(m)) + m for m in queries[:-2]))
stream = tcp.makefile("rb")
answers = []
for _ in queries[:-2]:
    length = struct.unpack(">H", stream.read(2))[0]
    answers.append(stream.read(length).hex())
for answer in sorted(answers):
    print("tcp", answer)
