import ChaosModel
import Testing

@Suite
struct `Network addresses` {
    @Test(arguments: [
        ("10.9.0.2", "10.9.0.2"), ("10.9.0.7/24", "10.9.0.0/24"), ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.9.0.2/32", "10.9.0.2"), ("::", "0:0:0:0:0:0:0:0"), ("::1", "0:0:0:0:0:0:0:1"),
        ("fd00::/64", "fd00:0:0:0:0:0:0:0/64"), ("FD00::ffff/112", "fd00:0:0:0:0:0:0:0/112"),
        ("::ffff:10.0.0.1", "0:0:0:0:0:ffff:a00:1"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1::", "1:0:0:0:0:0:0:0"), ("fd00::1/127", "fd00:0:0:0:0:0:0:0/127"),
    ])
    func `are read and written`(text: String, written: String) throws {
        let address = try #require(NetworkAddress(text))
        #expect(address.description == written)
        #expect(NetworkAddress(written) == address)
    }

    @Test(arguments: [
        "", "10.9.0", "10.9.0.256", "10.9.0.02", "010.9.0.2", "10.9.0.2/33", "10.9.0.2/",
        "10.9.0.2/-1",
        "10.9.0.2/+8", "10.9.0.2/8/8", " 10.9.0.2", "10.9.0.2 ", "1.2.3.4.5", ":", ":::", "1::2::3",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "g::1", "12345::", "::1/129", "fe80::1%eth0",
        "1:2:3:4:5:6:7::8:9",
        "::10.0.0.256", "localhost", "٣.1.1.1",
    ])
    func `refuse what is none`(text: String) {
        #expect(NetworkAddress(text) == nil)
    }

    @Test(
        arguments: [
            ("10.9.0.3", nil, "10.9.0.3"), ("10.9.0.3:5432", 5432, "10.9.0.3:5432"),
            ("10.9.0.0/24", nil, "10.9.0.0/24"),
            ("[fd00::1]:5432", 5432, "[fd00:0:0:0:0:0:0:1]:5432"),
            ("fd00::1", nil, "fd00:0:0:0:0:0:0:1"), ("db.example:5432", 5432, "db.example:5432"),
            ("localhost", nil, "localhost"), ("db_1-a", nil, "db_1-a"),
        ] as [(String, Int?, String)]
    )
    func `endpoints are read and written`(text: String, port: Int?, written: String) throws {
        let endpoint = try #require(Endpoint(text))
        #expect(endpoint.port == port)
        #expect(endpoint.description == written)
        #expect(Endpoint(written) == endpoint)
    }

    @Test(arguments: [
        "", ":80", "10.9.0.3:", "10.9.0.3:0", "10.9.0.3:65536", "10.9.0.3:+80", "[10.9.0.3]:80",
        "[fd00::1",
        "[fd00::1]80", "a b", "-a", "a-", "a..b", ".a", "a;b", "a$b", "256.1.1.1", "1.2.3", "999",
        "db.example:http", "[db.example]:80", "größe", "a\n",
    ])
    func `endpoints refuse what is none`(text: String) {
        #expect(Endpoint(text) == nil)
    }

    @Test
    func `labels and names of host names are bounded`() {
        #expect(Endpoint(String(repeating: "a", count: 63)) != nil)
        #expect(Endpoint(String(repeating: "a", count: 64)) == nil)
        let long = Array(repeating: "abcdefg", count: 32).joined(separator: ".")
        #expect(Endpoint(long) == nil)
    }
}
