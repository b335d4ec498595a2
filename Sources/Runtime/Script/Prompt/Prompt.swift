// One state of Lua for a person at a prompt. It outlives the runs that its lines are made in, so that functions and
// variables stay when a run was aborted.
//
// Each input is a chunk of its own. Its globals are a table that only the prompt has, behind which are the primitives: so
// what is assigned is there in the next line, while scripts still have no globals. A `local` at the start of an input
// would be gone with its line, so there it is left out; one with an attribute (`<close>`) keeps its meaning.

package import ChaosEngine
package import ChaosModel
import LuaBridge

/// A state in which lines are evaluated one by one.
package struct Prompt: Sendable {
    /// What an input came to.
    package enum Answer: Sendable {
        /// It ran; its results as Lua would write them.
        case values([String])
        /// More lines are needed.
        case incomplete(String)
        /// It is wrong or failed: the message, and where.
        case failed(String, at: SourceLocation?)
        /// It was interrupted.
        case interrupted
        /// The run is being stopped.
        case stopped
    }

    /// What an input that names a fault came to.
    package enum FaultAnswer: Sendable {
        case fault(FaultSpec)
        case other(Answer)
    }

    /// What messages call the prompt: `prompt[2]:1` is the first line of the second input.
    package static let name = "prompt"

    /// The name of an input.
    package static func name(of number: Int) -> String { "\(name)[\(number)]" }

    private let script: OpenScript
    /// Functions of the prompt's own: calls a chunk and writes its results; calls it for its first; lists the variables.
    private let show: LuaFunction
    private let first: LuaFunction
    private let list: LuaFunction

    init(_ environment: ScriptEnvironment) async throws(LuaError) {
        script = try await environment.open()
        let main = try await script.vm.load(source: Self.support, name: Self.name)
        let functions = try await script.vm.run(main).compactMap(\.function)
        guard functions.count == 3 else {
            throw LuaError(kind: .runtime, message: "the prompt has no functions")
        }
        (show, first, list) = (functions[0], functions[1], functions[2])
    }

    /// Lets the lines that follow act on a run.
    package func begin(_ controls: any RunControls) {
        script.vm.abortToken.clear()
        script.session.begin(.plain(controls))
    }

    /// Makes a line that runs end, since its run is over.
    package func stop(reason: String) { script.vm.abortToken.abort(reason) }

    /// The last lines that were printed are on the time line then.
    package func flush() async { await script.session.flushLog() }

    /// Takes note of a fault that was put back, so that the end of a scope does not do it again.
    package func release(_ handle: FaultHandle) { script.session.release(handle) }

    /// Whether a function of this metric was declared at the prompt.
    package func declares(metric name: String) -> Bool {
        script.session.function(of: name) != nil
    }

    /// What a metric says that was declared at the prompt by a function.
    package func evaluate(metric name: String) async -> Reading {
        guard let function = script.session.function(of: name) else {
            return .noData("the prompt has not declared \(name)")
        }
        return await Judging.reading(of: function, in: script.vm)
    }

    /// The names of the variables, sorted.
    package func variables() async -> [String] {
        let names = try? await script.vm.call(list, timeout: .seconds(1)).first?.table?.array
        return (names ?? []).compactMap(\.string).sorted()
    }

    /// Runs an input; the cancellation of the caller's task interrupts it.
    ///
    /// - Parameters:
    ///   - text: An expression or statements, of one or more lines.
    ///   - number: Which input it is, for messages.
    /// - Returns: What it came to.
    package func evaluate(_ text: String, number: Int) async -> Answer {
        do throws(LuaError) {
            let chunk = try await compile(text, called: Self.name(of: number))
            let values = try await script.vm.call(show, [.function(chunk)])
            await script.session.flushLog()
            return .values(values.first?.table?.array.compactMap(\.string) ?? [])
        } catch {
            await script.session.flushLog()
            return answer(to: error)
        }
    }

    /// The fault that an input makes without injecting it.
    package func fault(_ text: String, number: Int) async -> FaultAnswer {
        do throws(LuaError) {
            let chunk = try await compile(text, called: Self.name(of: number))
            let value = try await script.vm.call(first, [.function(chunk)]).first ?? .nil
            if let spec = value.object?.payload(of: FaultBuilder.objects) { return .fault(spec) }
            let problem = "plan: expects a fault such as fault.noop {…}, got \(value.given)"
            return .other(.failed(problem, at: nil))
        } catch {
            return .other(answer(to: error))
        }
    }

    private func answer(to error: LuaError) -> Answer {
        if error.kind == .syntax {
            // As the command `lua` tells that a chunk goes on.
            if error.isIncomplete { return .incomplete(error.message) }
            return .failed(
                "syntax error: \(error)",
                at: error.location.map { SourceLocation($0) }
            )
        }
        let isRunOver = script.vm.abortToken.reason != nil
        switch BodyError(error, in: Self.name) {
        case .stopped: return isRunOver ? .stopped : .interrupted
        case .raised(let message, _):
            return .failed(message, at: error.location.map { SourceLocation($0) })
        case .control(.stopped, _): return .stopped
        case .control(.definition(let problem), _):
            return .failed(problem.description, at: problem.location)
        case .control(.failed(let failure), _):
            return .failed(failure.message, at: error.location.map { SourceLocation($0) })
        }
    }

    /// An expression if it is one, else statements.
    private func compile(_ text: String, called name: String) async throws(LuaError) -> LuaFunction
    {
        // On the line of the text, so that lines keep their numbers.
        let globals = "local _ENV = ...; "
        do throws(LuaError) {
            return try await script.vm.load(source: "\(globals)return \(text)", name: name)
        } catch {
            let problem = error
            do throws(LuaError) {
                let statements = globals + Self.keeping(text)
                return try await script.vm.load(source: statements, name: name)
            } catch {
                // `1 +` goes on as an expression, and is no beginning of a statement.
                throw problem.isIncomplete ? problem : error
            }
        }
    }

    /// The statements, with the variables of a first `local` kept for the next inputs.
    static func keeping(_ text: String) -> String {
        let names = #/\s*local\s+(?=function\s|[A-Za-z_]\w*(\s*,\s*[A-Za-z_]\w*)*\s*=[^=])/#
        guard let match = text.prefixMatch(of: names) else { return text }
        let lines = match.output.0.filter { $0 == "\n" }
        return lines + text[match.range.upperBound...]
    }

    private static let support = """
        local variables = setmetatable({}, { __index = _ENV })
        local deepest, most = 4, 50
        local spell

        local function entries(value, depth, seen)
            local parts, count = {}, #value
            for index = 1, math.min(count, most) do
                parts[index] = spell(value[index], depth, seen)
            end
            local keys = {}
            for key in next, value do
                local is_item = math.type(key) == "integer" and key >= 1 and key <= count
                if not is_item then keys[#keys + 1] = key end
            end
            table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
            for index = 1, math.min(#keys, most) do
                local key = keys[index]
                local is_name = type(key) == "string" and key:find("^[%a_][%w_]*$")
                local name = is_name and key or "[" .. spell(key, depth, seen) .. "]"
                parts[#parts + 1] = name .. " = " .. spell(value[key], depth, seen)
            end
            if count > most or #keys > most then parts[#parts + 1] = "…" end
            return parts
        end

        function spell(value, depth, seen)
            if type(value) == "string" then
                return (("%q"):format(value:sub(1, 4000)):gsub("\\\\\\n", "\\\\n"))
            end
            if type(value) ~= "table" then return tostring(value) end
            if seen[value] or depth >= deepest then return "{…}" end
            seen[value] = true
            local parts = entries(value, depth + 1, seen)
            seen[value] = nil
            return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
        end

        local function texts(...)
            local all = {}
            for index = 1, select("#", ...) do all[index] = spell((select(index, ...)), 0, {}) end
            return all
        end

        local function show(chunk) return texts(chunk(variables)) end
        local function first(chunk) return (chunk(variables)) end
        local function list()
            local names = {}
            for name in next, variables do
                if type(name) == "string" then names[#names + 1] = name end
            end
            return names
        end
        return show, first, list
        """
}

extension LuaError {
    /// Whether a syntax error is at the end of the text.
    fileprivate var isIncomplete: Bool { message.hasSuffix("<eof>") }
}
