// What is known of requests in a network namespace before anything is done: who listens, and who is talked to.

package import ChaosModel

/// Looks at the sockets of a namespace; changes nothing and sends nothing.
enum RequestSurveyor {
    static func survey(_ namespace: NetworkNamespace) throws(KernelError) -> RequestSurvey {
        var survey = try LinuxNamespaces.within(namespace) { () throws(KernelError) in
            var survey = RequestSurvey()
            for file in ["tcp", "tcp6"] {
                guard let table = try ProcFile.bytes("/proc/thread-self/net/\(file)") else {
                    continue
                }
                survey.listeners += SocketTable.ends(in: table, state: "0A").map(\.local)
                survey.peers += SocketTable.ends(in: table, state: "01").map(\.remote)
            }
            survey.ephemeralPorts = try EphemeralPorts.range()
            return survey
        }
        survey.redirectObstacle = LinuxRedirects.obstacle
        return survey
    }
}

/// The ports that the kernel gives to sockets that ask for none.
package enum EphemeralPorts {
    /// Those of the network namespace of the calling thread; the kernel's default where it does not say.
    package static func range() throws(KernelError) -> ClosedRange<Int> {
        let text = try ProcFile.text("/proc/sys/net/ipv4/ip_local_port_range") ?? ""
        let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard numbers.count == 2, numbers[0] <= numbers[1] else { return 32768...60999 }
        return numbers[0]...numbers[1]
    }
}
