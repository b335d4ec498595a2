import ChaosModel
import Testing

@Suite
struct `SHA-256` {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
    ])
    func `gives the digests of the examples of FIPS 180-4`(text: String, digest: String) {
        #expect(SHA256.hexDigest(of: text.utf8) == digest)
    }

    @Test
    func `gives the digest of 100,000 letters`() {
        let letters = [UInt8](repeating: UInt8(ascii: "a"), count: 100_000)
        #expect(
            SHA256.hexDigest(of: letters)
                == "6d1cf22d7cc09b085dfc25ee1a1f3ae0265804c607bc2074ad253bcc82fd81ee"
        )
    }

    @Test(arguments: 54...66)
    func `pads every length around a block`(length: Int) {
        let bytes = [UInt8](repeating: 0x61, count: length)
        #expect(SHA256.hexDigest(of: bytes).count == 64)
    }
}
