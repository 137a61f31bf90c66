//! `aiobpy serve`: a fleet behind a server, until interrupted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aiobpy_fleet::{
    EngineChoice, Fleet, FleetConfig, FleetError, NatsConfig, Outbox, Pool, Recycling,
};
use aiobpy_server::{
    Parts, Server, ServerConfig, Tenants, Token, WebhookConfig, Webhooks, discovery,
};
use clap::Args;
use ipnet::IpNet;

use crate::Surroundings;
use crate::failure::Failure;
use crate::pools::{Launches, pool};
use crate::sys::{Interruptions, data_folder};
use crate::terminal::Terminal;

/// How long the disk may take to answer when all else has ended.
const LAST_LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A template file, or a folder of them; may be given more than once.
    #[arg(long, value_name = "PATH")]
    templates: Vec<PathBuf>,
    /// Leave aiobpy's own templates out: `builtin/render`, `builtin/convert` and the others.
    #[arg(long)]
    no_builtins: bool,
    /// A folder in which jobs may name files by their path; may be given more than once.
    #[arg(long = "root", value_name = "DIR")]
    roots: Vec<PathBuf>,
    /// A Python file, or a folder of them, whose functions `builtin/run` may call.
    #[arg(long, value_name = "PATH")]
    trusted: Vec<PathBuf>,
    /// Offer the template `cup` as well, a product to try it out with.
    #[arg(long)]
    demo: bool,
    /// How many Blenders to keep warm, those of pools apart: 1 if left out, none if there are pools. With
    /// `--engine` it may be 0, and others render.
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// More Blenders, for jobs and templates that name them, as in
    /// `name=gpu,workers=2,device=cuda:0+cuda:1,blender=/opt/blender/blender`; `python=` in the place of `blender=`
    /// takes the `bpy` module. May be given more than once.
    #[arg(long = "pool", value_name = "KEY=VALUE,…")]
    pools: Vec<String>,
    /// NATS servers that several nodes share, as `nats://a:4222,b:4222`; the engine inside if left out.
    #[arg(
        long,
        value_name = "ADDRESSES",
        value_delimiter = ',',
        env = "AIOBPY_ENGINE",
        hide_env_values = true
    )]
    engine: Vec<String>,
    /// The fleet's name on the servers: nodes of one name share their jobs.
    #[arg(long, default_value = "aiobpy", value_name = "NAME", requires = "engine")]
    fleet: String,
    /// What the others call this node; its host's name and some letters if left out.
    #[arg(long, value_name = "NAME", requires = "engine")]
    node: Option<String>,
    /// Seconds without a word from a node after which its jobs are another's.
    #[arg(long, default_value_t = 15, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    lease: u64,
    /// On 127.0.0.1; any free port if left out.
    #[arg(long)]
    port: Option<u16>,
    /// Where jobs and pictures are kept; the user's data folder if left out.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Seconds without a sign of life after which a worker is lost; another takes over its job.
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    silence_limit: u64,
    /// Seconds without progress after which a job hangs; its worker is replaced.
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    hang_limit: u64,
    /// How many jobs may wait.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    max_waiting: usize,
    /// How often a job is started before it is given up.
    #[arg(long, default_value_t = 5, value_name = "N")]
    attempts: u32,
    /// Days that jobs which have ended are kept, with their pictures.
    #[arg(long, default_value_t = 7, value_name = "DAYS")]
    keep_days: u64,
    /// Make everything anew, also what an earlier job has made already.
    #[arg(long)]
    no_cache: bool,
    /// A worker makes room for a fresh one after so many jobs.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    recycle_jobs: u64,
    /// A worker makes room for a fresh one when it has more MiB in memory.
    #[arg(long, value_name = "MIB")]
    recycle_mib: Option<u64>,
    /// A worker makes room for a fresh one after so many hours.
    #[arg(long, default_value_t = 24, value_name = "HOURS")]
    recycle_hours: u64,
    /// Those who share the server, with their tokens and quotas; see the guide to the fleet's API.
    #[arg(long, value_name = "FILE")]
    tenants: Option<PathBuf>,
    /// A network of yours that webhooks may be in, as `10.0.0.0/8`; may be given more than once.
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    webhook_allow: Vec<IpNet>,
    /// Seconds between the attempts to tell a webhook, as `5,300,1800`.
    #[arg(long, value_name = "SECONDS", value_delimiter = ',')]
    webhook_delays: Vec<u64>,
    /// A Blender to run the workers, 4.2 or newer; the `bpy` module if left out.
    #[arg(long, value_name = "PATH")]
    blender: Option<PathBuf>,
    /// A Python that has `aiobpy` and `bpy`; the one that runs this command if left out.
    #[arg(long, value_name = "PATH", env = "AIOBPY_PYTHON", conflicts_with = "blender")]
    python: Option<PathBuf>,
    /// The folder that holds the Python package `aiobpy`, for `--blender`.
    #[arg(long, value_name = "DIR", env = "AIOBPY_PACKAGE_DIR", requires = "blender")]
    package_dir: Option<PathBuf>,
}

pub(crate) fn run(
    arguments: Arguments,
    surroundings: Surroundings,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let interruptions = Interruptions::watch().map_err(Failure::new)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("aiobpy-serve")
        .enable_all()
        .build()
        .map_err(Failure::new)?;
    let outcome = runtime.block_on(serve(arguments, surroundings, interruptions, terminal));
    // A disk that does not answer is no reason to stay.
    runtime.shutdown_timeout(LAST_LIMIT);
    outcome
}

async fn serve(
    arguments: Arguments,
    surroundings: Surroundings,
    interruptions: Interruptions,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let port = arguments.port;
    // Before the fleet starts: a token that cannot be used must not leave workers behind.
    let token = Token::from_environment_or_random()?;
    let tenants = match &arguments.tenants {
        Some(file) => Tenants::of_file(file)?,
        None => Tenants::default(),
    };
    let (allowed, delays) = (arguments.webhook_allow.clone(), arguments.webhook_delays.clone());
    let config = FleetConfig { tenants: tenants.all(), ..fleet_config(arguments, surroundings)? };
    let data = config.data_dir.clone();
    let fleet = Fleet::start(config).await.map_err(from_fleet)?;
    let webhooks = match webhooks(&data, allowed, &delays) {
        Ok(webhooks) => Some(webhooks),
        Err(failure) => {
            fleet.stop().await;
            return Err(failure);
        }
    };
    let parts = Parts { fleet: Some(fleet.clone()), webhooks, tenants, ..Parts::default() };
    let discovery_file =
        discovery::user_folder().map(|folder| discovery::file_of_this_process(&folder));
    let config =
        ServerConfig { port, discovery_file: discovery_file.clone(), ..ServerConfig::new(token) };
    let server = match Server::start(config, parts).await {
        Ok(server) => server,
        Err(problem) => {
            fleet.stop().await;
            return Err(problem.into());
        }
    };
    terminal.say(&format!("serving http://{}/api/v1/jobs; Ctrl-C ends it", server.address()));
    if let Some(file) = discovery_file {
        // The token itself is not for a terminal that others may look at.
        terminal.say(&format!("address and token: {}", file.display()));
    }
    // Without randomness there would be no token either.
    if let Ok(link) = server.sign_in_link() {
        terminal.say(&format!("dashboard, signed in once: {link}"));
    }
    // An error would mean that none can come any more.
    let _interrupted_or_deaf = interruptions.next().await;
    terminal.say("stopping");
    server.stop().await;
    fleet.stop().await;
    Ok(())
}

/// What is to be told to webhooks is kept beside the queue.
fn webhooks(data: &Path, allowed: Vec<IpNet>, delays: &[u64]) -> Result<Webhooks, Failure> {
    let outbox = Outbox::open(&data.join("outbox.db")).map_err(Failure::new)?;
    let usual = WebhookConfig::new(outbox, data.join("webhook-secret"));
    let delays = match delays {
        [] => usual.delays.clone(),
        delays => delays.iter().copied().map(Duration::from_secs).collect(),
    };
    Ok(Webhooks::new(WebhookConfig { allowed, delays, ..usual })?)
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| "write it as in `10.0.0.0/8`, `fd00::/8` or `192.168.1.7`".to_owned())
}

fn fleet_config(
    mut arguments: Arguments,
    surroundings: Surroundings,
) -> Result<FleetConfig, Failure> {
    if arguments.demo {
        let package = arguments.package_dir.as_ref().or(surroundings.package_dir.as_ref());
        let package = package.ok_or_else(unknown_package)?;
        arguments.templates.push(package.join("aiobpy/demo/cup.py"));
    }
    let data = match arguments.data {
        Some(data) => data,
        None => default_data_folder()?,
    };
    let launches = Launches {
        python: arguments.python.or(surroundings.python),
        package_dir: arguments.package_dir.or(surroundings.package_dir),
    };
    let launch = match arguments.blender {
        Some(path) => launches.of_blender(path)?,
        None => launches.of_module(None),
    };
    let pools: Vec<Pool> =
        arguments.pools.iter().map(|text| pool(text, &launches)).collect::<Result<_, _>>()?;
    let engine = if arguments.engine.is_empty() {
        EngineChoice::Embedded
    } else {
        EngineChoice::Nats(NatsConfig { servers: arguments.engine, fleet: arguments.fleet })
    };
    Ok(FleetConfig {
        engine,
        node: arguments.node,
        lease: Duration::from_secs(arguments.lease),
        builtins: !arguments.no_builtins,
        roots: arguments.roots,
        trusted: arguments.trusted,
        silence_limit: Duration::from_secs(arguments.silence_limit),
        workers: arguments.workers.unwrap_or(usize::from(pools.is_empty())),
        pools,
        hang_limit: Duration::from_secs(arguments.hang_limit),
        most_waiting: arguments.max_waiting,
        attempts: arguments.attempts,
        cache: !arguments.no_cache,
        keep_ended: Duration::from_hours(24 * arguments.keep_days),
        recycling: Recycling {
            jobs: Some(arguments.recycle_jobs),
            resident_bytes: arguments.recycle_mib.map(|mebibytes| mebibytes << 20),
            age: Some(Duration::from_hours(arguments.recycle_hours)),
        },
        ..FleetConfig::new(data, arguments.templates, launch)
    })
}

pub(crate) fn unknown_package() -> Failure {
    Failure::new("where the Python package `aiobpy` is, is not known")
        .with_hint("name the folder that holds it: `--package-dir DIR`")
}

pub(crate) fn default_data_folder() -> Result<PathBuf, Failure> {
    data_folder().map(|folder| folder.join("aiobpy")).ok_or_else(|| {
        Failure::new("there is no home folder to keep jobs in")
            .with_hint("name a folder: `--data DIR`")
    })
}

pub(crate) fn from_fleet(error: FleetError) -> Failure {
    let hint = error.hint();
    Failure::new(error).with_hint(hint)
}
