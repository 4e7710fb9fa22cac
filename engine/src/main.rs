//! `tandem`: reads the settings, runs a node until it is told to stop, lets its calls finish.
//! What a node is made of is in `engine::node`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use engine::config::Config;
use engine::node::{Node, OFFLINE_SPEECH_FAILED, serve_offline_speech};
use serde::Serialize;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines of the log that wait to be written; what is logged beyond them is lost.
const LOG_LINES: usize = 4096;

/// Answers phone calls with a machine that feels like a person.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node: SIP and RTP in, conversations out.
    Run(RunArgs),
    /// Serve offline speech over the OpenAI HTTP API. `tandem run` starts this by itself when it has no key.
    OfflineSpeech {
        /// The agent file: what callers may say, and what is answered.
        #[arg(long, default_value = "agents/reception.toml")]
        agent: PathBuf,
        /// Address to serve on; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
        /// Started by a node, which is told on standard output why speech cannot be served.
        #[arg(long, hide = true)]
        child: bool,
    },
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Configuration file [default: tandem.toml, if it exists].
    #[arg(long)]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

/// Settings given on the command line; each overrides the file and the environment.
#[derive(Debug, Args, Serialize)]
struct Flags {
    /// SIP address, UDP and TCP [default: 127.0.0.1:5070].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    sip: Option<SocketAddr>,
    /// HTTP address [default: 127.0.0.1:8080].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<SocketAddr>,
    /// RTP ports [default: 20000-39999].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    rtp_ports: Option<String>,
    /// Directory for journals, recordings and events [default: var].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    /// Agent file [default: agents/reception.toml].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<PathBuf>,
    /// Name of this node [default: tandem-1].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    node_name: Option<String>,
    /// Most calls at a time [default: 1000].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_calls: Option<usize>,
    /// URL of the edge that admits calls; its secret is in TANDEM_EDGE__SECRET [default: none].
    #[arg(long)]
    #[serde(rename = "edge", serialize_with = "edge_section", skip_serializing_if = "Option::is_none")]
    edge_url: Option<String>,
}

/// The flag as the section of the settings it belongs to.
fn edge_section<S: serde::Serializer>(url: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map([("url", url)])
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let log = start_log();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start the runtime: {error}")),
    };
    let outcome = match cli.command {
        // On a worker, as all that it begins: otherwise every call would wake this thread beside it.
        Command::Run(args) => runtime
            .block_on(runtime.spawn(run(args)))
            .unwrap_or_else(|ended| Err(format!("the node's task ended: {ended}"))),
        Command::OfflineSpeech { agent, listen, child } => {
            match runtime.block_on(serve_offline_speech(agent, listen)) {
                Err(error) if child => {
                    println!("{OFFLINE_SPEECH_FAILED}{error}");
                    return ExitCode::FAILURE;
                }
                outcome => outcome.map_err(|e| e.to_string()),
            }
        }
    };
    drop(log);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => failed(&message),
    }
}

async fn run(args: RunArgs) -> Result<(), String> {
    let config = Config::load(args.config.as_deref(), &args.flags).map_err(|e| e.to_string())?;
    let node = Node::start(config).await.map_err(|e| e.to_string())?;
    node.run().await.map_err(|e| e.to_string())
}

/// Human on a terminal, JSON otherwise; `TANDEM_LOG` filters as `RUST_LOG` would.
/// What was logged is written once the guard is gone, if it can be.
fn start_log() -> WorkerGuard {
    use std::io::IsTerminal;
    let filter = EnvFilter::try_from_env("TANDEM_LOG").unwrap_or_else(|_| EnvFilter::new("info,rsipstack=warn"));
    // Whoever reads the log may stop reading, and a disk may not answer: a thread waits for them, and no call does.
    let (writer, written) = NonBlockingBuilder::default().buffered_lines_limit(LOG_LINES).finish(std::io::stderr());
    // A log that cannot be written (a full disk) would be complained of where it cannot be written, which panics.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
    if std::io::stderr().is_terminal() {
        log.with_target(false).init();
    } else {
        log.json().flatten_event(true).init();
    }
    written
}

fn failed(message: &str) -> ExitCode {
    eprintln!("tandem: {message}");
    ExitCode::FAILURE
}
