# Asks a resolver for db.test over one socket, which it keeps, each 5 ms: prints the time (CLOCK_MONOTONIC) and the code
# of each answer.
import socket, sys, time

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.connect((sys.argv[1], 53))
client.settimeout(0.05)
number = 0
while True:
    number = (number + 1) % 65536
    query = number.to_bytes(2, "big") + bytes.fromhex("010000010000000000000264620474657374000001" + "0001")
    try:
        client.send(query)
        answer = client.recv(4096)
        if answer[:2] == query[:2]:
            print(f"{time.monotonic():.6f} {answer[3] & 15}", flush=True)
    except OSError:
        pass
    time.sleep(0.005)
