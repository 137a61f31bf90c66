//! What can be wrong, in the words that a client reads.

use std::fmt::Display;
use std::time::Duration;

use aiobpy_wire::{Artefact, BatchId, FieldProblem, JobId, JobState, Problem, WorkerId};

use crate::artefacts::KeepError;
use crate::engine::EngineError;

/// Seconds in which three NATS servers have found a new leader when one is lost.
const ENGINE_RETURNS_IN: u64 = 5;

pub(crate) fn unknown_template<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    Problem::new(
        422,
        "unknown-template",
        "No such template",
        format!("there is no template `{name}`"),
    )
    .with_hint(did_you_mean(name, known))
    .with_error("/template", "no template has this name")
}

pub(crate) fn unknown_pool<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    Problem::new(422, "unknown-pool", "No such pool", format!("there is no pool `{name}`"))
        .with_hint(did_you_mean(name, known))
        .with_error("/pool", "no pool has this name")
}

pub(crate) fn broken_template(name: &str, reason: &str) -> Problem {
    Problem::new(
        500,
        "broken-template",
        "The template cannot be used",
        format!("the template `{name}` could not be loaded: {reason}"),
    )
    .with_hint("correct the template's file and start the server again")
}

pub(crate) fn invalid_request(errors: Vec<FieldProblem>) -> Problem {
    let fields =
        if errors.len() == 1 { "a field".into() } else { format!("{} fields", errors.len()) };
    let mut problem = Problem::new(
        422,
        "invalid-request",
        "The request does not fit the template",
        format!("{fields} of the request cannot be used as given"),
    )
    .with_hint("`GET /api/v1/templates` lists each template's parameters and their limits");
    problem.errors = errors;
    problem
}

pub(crate) fn queue_full(most_waiting: usize, retry_after: u64) -> Problem {
    Problem::new(
        429,
        "queue-full",
        "The queue is full",
        format!("{most_waiting} jobs wait already, which is as many as may"),
    )
    .with_hint("send it again later; `Retry-After` says when one has probably begun")
    .with_retry_after(retry_after)
}

pub(crate) fn unknown_inputs(errors: Vec<FieldProblem>) -> Problem {
    let mut problem = Problem::new(
        422,
        "unknown-input",
        "No such input",
        "the request names files that have not been sent, or that nobody has used for long",
    )
    .with_hint("send the file first, and name it as the answer does");
    problem.errors = errors;
    problem
}

pub(crate) fn input_unkept(error: &std::io::Error) -> Problem {
    Problem::new(
        503,
        "input-unkept",
        "The file could not be kept",
        format!("the file could not be written to the data folder: {error}"),
    )
    .with_hint("is the disk full?")
}

pub(crate) fn tenant_full(tenant: &str, most_waiting: usize, retry_after: u64) -> Problem {
    Problem::new(
        429,
        "quota-used-up",
        "As many of your jobs wait as may",
        format!("{most_waiting} jobs of `{tenant}` wait already, which is as many as may"),
    )
    .with_hint("send it again later; `Retry-After` says when one has probably begun")
    .with_retry_after(retry_after)
}

pub(crate) fn priority_too_high(tenant: &str, highest: i8) -> Problem {
    Problem::new(
        403,
        "priority-too-high",
        "The priority is not for you",
        format!("jobs of `{tenant}` have a priority of {highest} at most"),
    )
    .with_error("/priority", format!("is more than {highest}"))
}

pub(crate) fn invalid_batch(error: FieldProblem) -> Problem {
    let FieldProblem { pointer, detail } = error;
    Problem::new(422, "invalid-batch", "The batch makes no sense", &*detail)
        .with_error(pointer, &*detail)
        .with_hint("write frames as in `1-24x2,30`, and a matrix as in `{\"size\": [1, 2]}`")
}

pub(crate) fn batch_too_large(count: usize, most: usize) -> Problem {
    Problem::new(
        422,
        "batch-too-large",
        "The batch is too large",
        format!("it stands for {count} jobs, and no more than {most} may wait"),
    )
    .with_hint("send it as several batches")
}

pub(crate) fn no_such_batch(id: BatchId) -> Problem {
    Problem::new(404, "unknown-batch", "No such batch", format!("there is no batch `{id}`"))
        .with_hint("`GET /api/v1/batches` lists the newest batches")
}

pub(crate) fn no_such_worker(id: &str) -> Problem {
    Problem::new(404, "unknown-worker", "No such worker", format!("this node has no worker {id:?}"))
        .with_hint("`GET /api/v1/workers` lists the workers")
}

pub(crate) fn batch_ended(id: BatchId) -> Problem {
    Problem::new(
        409,
        "batch-ended",
        "The batch has ended",
        format!("all jobs of the batch `{id}` have ended already"),
    )
}

pub(crate) fn key_of_another(id: impl Display) -> Problem {
    Problem::new(
        422,
        "idempotency-key-reused",
        "The key names another request",
        format!("the Idempotency-Key is that of `{id}`, which was asked for otherwise"),
    )
    .with_hint("make a new key for each request; use one again only to repeat the same request")
}

/// Quarantine: it would only take more workers down.
pub(crate) fn poison(last: &Problem, crashes: u32) -> Problem {
    let mut problem = Problem::new(
        500,
        "poison-job",
        "The job takes workers down",
        format!("{crashes} workers have crashed or hung at the job; the last: {}", last.detail),
    )
    .with_hint("the crash text is what Blender printed last; mend the template or its parameters");
    problem.crash_text.clone_from(&last.crash_text);
    problem
}

pub(crate) fn worker_hung(seconds: u64) -> Problem {
    Problem::new(
        500,
        "worker-hung",
        "The worker hung",
        format!("the job made no progress for {seconds} s"),
    )
    .with_hint("if its frames take longer, raise `--hang-limit`")
}

pub(crate) fn job_too_long(seconds: u32) -> Problem {
    Problem::new(
        504,
        "job-too-long",
        "The job took too long",
        format!("the attempt took longer than the {seconds} s that the job was given"),
    )
    .with_hint("ask for less, or set a larger `timeout_seconds`")
}

pub(crate) fn no_such_job(id: JobId) -> Problem {
    Problem::new(404, "unknown-job", "No such job", format!("there is no job `{id}`"))
        .with_hint("`GET /api/v1/jobs` lists the newest jobs")
}

pub(crate) fn already_ended(id: JobId, state: JobState) -> Problem {
    let state = match state {
        JobState::Finished => "finished",
        JobState::Failed => "failed",
        _ => "been cancelled",
    };
    Problem::new(
        409,
        "job-ended",
        "The job has ended",
        format!("the job `{id}` has {state} already and cannot be cancelled"),
    )
}

pub(crate) fn queue_failed(error: &EngineError) -> Problem {
    match error {
        EngineError::Away { .. } => {
            Problem::new(503, "engine-away", "The engine does not answer", error.to_string())
                .with_hint("send it again, with the same Idempotency-Key if it has one")
                .with_retry_after(ENGINE_RETURNS_IN)
        }
        EngineError::Storage { .. } | EngineError::Closed => {
            Problem::new(503, "queue-unavailable", "The queue cannot be used", error.to_string())
                .with_hint("the server's log says more; is the disk full?")
        }
    }
}

/// The engine gave a job to a worker, and its answer did not arrive.
#[cfg(feature = "nats")]
pub(crate) fn claim_lost() -> Problem {
    Problem::new(
        503,
        "claim-lost",
        "The worker never got the job",
        "the connection to the engine was cut while a worker took the job; the job runs again",
    )
}

/// A node that was not heard of, and what it had claimed.
pub(crate) fn node_lost(worker: &WorkerId, lease: Duration) -> Problem {
    let node = worker.node();
    let seconds = lease.as_secs_f64();
    Problem::new(
        500,
        "node-lost",
        "The node was lost",
        format!(
            "nothing was heard of the node `{node}` for {seconds} s; `{worker}` was at the job"
        ),
    )
    .with_hint("is the machine on, and can it reach the engine?")
}

/// No worker has told its templates in time; `reason` is why the last one did not.
pub(crate) fn no_worker_ready(reason: Option<Problem>) -> Problem {
    let problem = Problem::new(
        503,
        "no-worker",
        "No worker is ready",
        match &reason {
            Some(reason) => format!("no worker could be started: {}", reason.detail),
            None => "the workers are still starting".into(),
        },
    );
    let Some(Problem { hint, crash_text, .. }) = reason else {
        return problem.with_hint("try again in a moment");
    };
    Problem {
        hint: hint.or_else(|| Some("`GET /api/v1/workers` says what each printed last".into())),
        crash_text,
        ..problem
    }
}

pub(crate) fn server_stopped() -> Problem {
    Problem::new(
        503,
        "server-stopped",
        "The server stopped",
        "the server stopped while the job was under way; the job runs again",
    )
}

pub(crate) fn no_artefact(detail: String) -> Problem {
    Problem::new(500, "no-artefact", "There is no file to keep", detail)
        .with_hint("is the disk full, or did the template change the output path?")
}

pub(crate) fn no_such_artefact(artefact: &Artefact) -> Problem {
    Problem::new(
        404,
        "unknown-artefact",
        "There is no such artefact",
        format!("what the job left behind, `{}`, is not kept any more", artefact.hash),
    )
    .with_hint("submit the job again; `--keep-days` says how long artefacts are kept")
}

/// An artefact of another node.
pub(crate) fn not_kept(error: &KeepError) -> Problem {
    Problem::new(500, "artefact-not-kept", "The artefact cannot be kept", error.to_string())
        .with_hint("is the disk full?")
}

/// A worker that went before its time, and what it printed last.
pub(crate) fn worker_lost(how: &str, last_lines: &str) -> Problem {
    let problem = Problem::new(500, "worker-lost", "The worker was lost", how)
        .with_hint("the crash text is what Blender printed last");
    if last_lines.is_empty() {
        Problem { hint: None, ..problem }
    } else {
        problem.with_crash_text(last_lines)
    }
}

pub(crate) fn worker_not_started(detail: String) -> Problem {
    Problem::new(503, "worker-not-started", "The worker could not be started", detail)
        .with_hint("check the path given to `--python` or `--blender`")
}

/// A hint that names what is nearest to `name`, or all there is.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_by_cached_key(|candidate| distance(name, candidate));
    match known.as_slice() {
        [] => "there are none".into(),
        [nearest, ..] if distance(name, nearest) <= name.chars().count().div_ceil(3) => {
            format!("did you mean `{nearest}`?")
        }
        _ => {
            known.sort_unstable();
            format!("there are: `{}`", known.join("`, `"))
        }
    }
}

/// How many letters have to be changed, added or left out to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_changed_letters() {
        assert_eq!(distance("mug", "mug"), 0);
        assert_eq!(distance("mugg", "mug"), 1);
        assert_eq!(distance("color", "colour"), 1);
        assert_eq!(distance("", "mug"), 3);
    }

    #[test]
    fn a_name_that_is_near_nothing_lists_all_there_is() {
        let hint = did_you_mean("sofa", ["mug", "lamp"].into_iter());
        assert_eq!(hint, "there are: `lamp`, `mug`");
    }
}
