// `moonquake gameday`: playbooks of several experiments.

import ArgumentParser

struct GameDayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gameday",
        abstract:
            "Runs GameDays: several experiments, with gates, health checks and notices between.",
        subcommands: [
            GameDayRunCommand.self, GameDayCheckCommand.self, GameDayScheduleCommand.self,
            GameDayUnscheduleCommand.self, GameDayNextCommand.self, GameDayDaemonCommand.self,
        ]
    )
}
