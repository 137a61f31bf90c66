//! The main job, end to end: a configured product, rendered over REST by a warm Blender.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::failure::{Doing, Failure, Outcome};
use crate::run::Run;
use crate::step::step;
use crate::{files, setup, wheel, workspace};

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Stop after one picture.
    once: bool,
    out: PathBuf,
}

const USAGE: &str = "cargo xtask demo [--once] [--out FILE]";

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Outcome<Self> {
        let mut options = Self { once: false, out: PathBuf::from("out/product.png") };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--once" => options.once = true,
                "--out" => {
                    let file = rest.next().ok_or_else(|| {
                        Failure::new("`--out` needs the name of a file").hint(USAGE)
                    })?;
                    options.out = PathBuf::from(file);
                }
                unknown => {
                    return Err(
                        Failure::new(format!("`demo` does not understand `{unknown}`")).hint(USAGE)
                    );
                }
            }
        }
        Ok(options)
    }
}

pub(crate) fn run(options: &Options) -> Outcome {
    setup::prepare_to_run()?;
    wheel::install()?;
    setup::product()?;
    let server = step("start `aiobpy serve` with one warm Blender", Server::start)?;
    step("render a mug over REST", || submit(&server, options))?;
    println!("\nthe picture: {}", options.out.display());
    if options.once {
        return Ok(());
    }
    server.explain();
    server.wait()
}

const TEMPLATE: &str = "examples/product_configurator/product.py";

/// Ask for a mug, as any client would, and keep the picture.
fn submit(server: &Server, options: &Options) -> Outcome {
    if let Some(folder) = options.out.parent() {
        files::create_folder(folder)?;
    }
    Run::new(workspace::venv_program("aiobpy"))
        .env("AIOBPY_TOKEN", &server.token)
        .args(["submit", "--url", &server.address, "--template", "mug"])
        .args(["--param", "colour=#1f6f78", "--param", "text=aiobpy"])
        .args(["--width", "800", "--height", "800", "--samples", "96", "--format", "png"])
        .arg("--out")
        .arg(&options.out)
        .check()
}

/// `aiobpy serve`, stopped when dropped.
struct Server {
    process: Child,
    address: String,
    token: String,
    /// The file that tells its user's programs the token.
    discovery_file: String,
}

impl Server {
    fn start() -> Outcome<Self> {
        // What an interrupted demo left in its queue is not to run now.
        let data = workspace::target_dir().join("demo");
        files::remove(&data)?;
        let token = random_token()?;
        let mut process = Command::new(workspace::venv_program("aiobpy"))
            .current_dir(workspace::root())
            .env("AIOBPY_TOKEN", &token)
            .args(["serve", "--workers", "1", "--templates", TEMPLATE])
            .arg("--data")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .doing(|| "could not start `aiobpy serve`".to_owned())?;
        let lines = show_lines(process.stdout.take());
        // From here on, dropping it stops the process.
        let mut server =
            Self { process, address: String::new(), token, discovery_file: String::new() };
        server.address = lines
            .iter()
            .find_map(|line| address_in(&line))
            .ok_or_else(|| Failure::new("`aiobpy serve` ended before it listened"))?;
        // The next line names the file, unless its user has no home folder.
        let next = lines.recv_timeout(Duration::from_secs(2)).unwrap_or_default();
        let file = next.strip_prefix("address and token: ").unwrap_or("THAT-FILE");
        file.clone_into(&mut server.discovery_file);
        Ok(server)
    }

    fn explain(&self) {
        println!(
            r##"
The server goes on until Ctrl-C. In another shell:

  TOKEN=$(sed -n 's/.*"token": *"\([^"]*\)".*/\1/p' {1})

  # what can be ordered
  curl -H "Authorization: Bearer $TOKEN" {0}/api/v1/templates

  # order, wait, get the picture
  curl -H "Authorization: Bearer $TOKEN" -H 'Prefer: wait=30' -H 'Content-Type: application/json' \
       -d '{{"template": "mug", "params": {{"colour": "#d13b2a", "text": "hello"}}}}' \
       {0}/api/v1/jobs --output mug.png

  # follow everything that happens
  curl -N -H "Authorization: Bearer $TOKEN" {0}/api/v1/events"##,
            self.address, self.discovery_file
        );
    }

    fn wait(mut self) -> Outcome {
        let status = self.process.wait().doing(|| "could not wait for the server".to_owned())?;
        println!("\n`aiobpy serve` ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    /// Ask it to end, so that it ends its Blender too.
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let asked = Run::new("kill").arg("-TERM").arg(self.process.id().to_string()).output();
            if asked.is_err() || self.process.wait().is_err() {
                eprintln!("could not stop `aiobpy serve`, process {}", self.process.id());
            }
        }
    }
}

/// Print what a program says as it says it, and hand it on.
fn show_lines(output: Option<ChildStdout>) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in output
            .into_iter()
            .flat_map(|output| BufReader::new(output).lines())
            .map_while(Result::ok)
        {
            println!("  serve │ {line}");
            // Nobody listens once the address is known.
            let _ = sender.send(line);
        }
    });
    lines
}

/// The scheme, host and port of the first address on loopback in a line.
fn address_in(line: &str) -> Option<String> {
    let start = line.find("http://127.0.0.1:")?;
    let after_scheme = start + "http://".len();
    let is_of_authority = |letter: char| letter.is_ascii_digit() || letter == '.' || letter == ':';
    let length = line[after_scheme..].find(|letter| !is_of_authority(letter));
    let end = length.map_or(line.len(), |length| after_scheme + length);
    Some(line[start..end].to_owned())
}

/// For this demo alone, so that its two commands understand each other.
fn random_token() -> Outcome<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .doing(|| "could not read `/dev/urandom`".to_owned())?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Outcome<Options> {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        Options::parse(&arguments)
    }

    #[test]
    fn options_are_understood_and_others_refused_with_a_hint() {
        let expected = Options { once: true, out: PathBuf::from("a.png") };
        assert_eq!(parse(&["--once", "--out", "a.png"]).unwrap(), expected);
        assert!(parse(&["--out"]).unwrap_err().to_string().contains("needs the name of a file"));
        assert!(parse(&["--twice"]).unwrap_err().to_string().contains("hint: cargo xtask demo"));
    }

    #[test]
    fn the_address_is_found_in_what_the_server_says() {
        let line = "serving http://127.0.0.1:43210/api/v1/jobs; Ctrl-C ends it";
        assert_eq!(address_in(line).as_deref(), Some("http://127.0.0.1:43210"));
        assert_eq!(address_in("warming up"), None);
    }
}
