//! Many jobs by one request: what they are, and how they are taken on together.

use aiobpy_wire::{Batch, BatchId, BatchRequest, FieldProblem, Job, JobRequest, Problem, Webhook};
use aiobpy_wire::{JobState, WebhookEvent};
use futures_util::future::join_all;
use serde_json::{Map, Value};

use crate::engine::{Engine, Listing, NewBatch, SubmittedBatch};
use crate::fleet::{Asker, Fleet, known};
use crate::{problems, rules};

impl Fleet {
    /// Takes on all jobs of a batch, or none. As with [`Fleet::submit`], they outlive a crash.
    ///
    /// # Errors
    ///
    /// As [`Fleet::submit`], for the first of the jobs that has one.
    pub async fn submit_batch(
        &self,
        request: BatchRequest,
        asker: Asker,
    ) -> Result<Batch, Problem> {
        let hash = rules::request_hash(&request);
        let most_waiting = self.most_waiting();
        let expanded = expand(request, most_waiting)?;
        let (count, mut requests) = (expanded.len(), Vec::new());
        for (number, request) in expanded.into_iter().enumerate() {
            let checked = self.checked(request, &asker).await;
            let request = checked.map_err(|problem| of_job(problem, number, count))?;
            let made = self.made_before(&request, &asker).await;
            requests.push((request, made));
        }
        let batch = NewBatch { requests, hash };
        let terms = asker.terms(most_waiting);
        let submitted = self.engine().submit_batch(batch, terms).await;
        let id = match submitted.map_err(|error| problems::queue_failed(&error))? {
            SubmittedBatch::Taken(id) | SubmittedBatch::Known(id) => id,
            SubmittedBatch::KeyOfAnother(id) => return Err(problems::key_of_another(id)),
            SubmittedBatch::Full => return Err(self.is_full_for(&Asker::default(), count)),
            SubmittedBatch::TenantFull => return Err(self.is_full_for(&asker, count)),
        };
        self.batch(id).await.ok_or_else(|| problems::no_such_batch(id))
    }

    pub async fn batch(&self, id: BatchId) -> Option<Batch> {
        known(self.engine().batch(id).await).flatten()
    }

    /// The newest batches, newest first; of a tenant, if one is named.
    pub async fn batches(&self, tenant: Option<String>, limit: usize) -> Vec<Batch> {
        known(self.engine().batches(tenant, limit).await).unwrap_or_default()
    }

    /// All jobs of a batch, in the order in which they were asked for.
    pub async fn jobs_of_batch(&self, id: BatchId) -> Vec<Job> {
        let listing = Listing { batch: Some(id), limit: usize::MAX, ..Listing::default() };
        known(self.engine().jobs(listing).await).unwrap_or_default()
    }

    /// Cancels what of a batch has not ended.
    ///
    /// # Errors
    ///
    /// 404 where there is no such batch, 409 where all of it has ended.
    pub async fn cancel_batch(&self, id: BatchId) -> Result<Batch, Problem> {
        let batch = self.batch(id).await.ok_or_else(|| problems::no_such_batch(id))?;
        if batch.state.is_final() {
            return Err(problems::batch_ended(id));
        }
        let jobs = self.jobs_of_batch(id).await;
        // First those that wait, so that none of them is begun in place of one that runs.
        for state in [JobState::Queued, JobState::Running] {
            let of_state = jobs.iter().filter(|job| job.state == state);
            // One that has just ended is as it is to be.
            let _ended = join_all(of_state.map(|job| self.cancel(job.id))).await;
        }
        self.batch(id).await.ok_or_else(|| problems::no_such_batch(id))
    }
}

/// The jobs that a batch stands for: of each variant, all combinations of the matrix; of each of
/// those, all frames. `most` at most.
pub(crate) fn expand(request: BatchRequest, most: usize) -> Result<Vec<JobRequest>, Problem> {
    let BatchRequest { mut job, frames, variants, matrix, webhook } = request;
    job.webhook = webhook_of_jobs(job.webhook.take(), webhook)?;
    let frames = match &frames {
        Some(text) => parse_frames(text, most)?.into_iter().map(Some).collect(),
        None => vec![None],
    };
    let axes = axes(matrix)?;
    let combinations = axes.iter().map(|(_, values)| values.len());
    let factors = combinations.chain([variants.len().max(1), frames.len()]);
    let count = factors.fold(1_usize, usize::saturating_mul);
    if count > most {
        return Err(problems::batch_too_large(count, most));
    }
    let mut params = if variants.is_empty() { vec![Map::new()] } else { variants };
    for (name, values) in axes {
        let with_each = |params: Map<String, Value>| {
            let name = name.clone();
            values.iter().map(move |value| {
                let mut params = params.clone();
                params.insert(name.clone(), value.clone());
                params
            })
        };
        params = params.into_iter().flat_map(with_each).collect();
    }
    let mut jobs = Vec::with_capacity(count);
    for params in params {
        for frame in &frames {
            let mut one = job.clone();
            one.params.extend(params.clone());
            if frame.is_some() {
                one.output.frame = *frame;
            }
            jobs.push(one);
        }
    }
    Ok(jobs)
}

/// The webhook of a batch is kept with each of its jobs.
fn webhook_of_jobs(
    of_job: Option<Webhook>,
    of_batch: Option<Webhook>,
) -> Result<Option<Webhook>, Problem> {
    match (of_job, of_batch) {
        (Some(_), Some(_)) => {
            Err(wrong("/job/webhook", "a batch has one webhook: the batch's own"))
        }
        (None, Some(mut webhook)) => {
            if webhook.events.is_empty() {
                webhook.events.push(WebhookEvent::BatchEnded);
            }
            Ok(Some(webhook))
        }
        (of_job, None) => Ok(of_job),
    }
}

fn axes(matrix: Map<String, Value>) -> Result<Vec<(String, Vec<Value>)>, Problem> {
    let axis = |(name, values)| match values {
        Value::Array(values) if !values.is_empty() => Ok((name, values)),
        _ => Err(wrong(&format!("/matrix/{name}"), "a list of one value or more is expected")),
    };
    matrix.into_iter().map(axis).collect()
}

/// Reads `1-24x2,30`: single frames and ranges, each with a step or without. None twice.
fn parse_frames(text: &str, most: usize) -> Result<Vec<i32>, Problem> {
    let mut frames = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (first, last, step) = range(part).ok_or_else(|| {
            wrong("/frames", &format!("`{part}` is no frame and no range, as `1-24x2` is"))
        })?;
        if last < first {
            return Err(wrong("/frames", &format!("`{part}` ends before it begins")));
        }
        for frame in (first..=last).step_by(step) {
            if frames.len() >= most {
                return Err(wrong("/frames", &format!("there are more than {most} of them")));
            }
            frames.push(frame);
        }
    }
    let mut sorted = frames.clone();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(wrong("/frames", &format!("{} is named twice", pair[0]))),
        None => Ok(frames),
    }
}

/// First, last and step. Frames may be negative: `-5--1`.
fn range(part: &str) -> Option<(i32, i32, usize)> {
    let (frames, step) = match part.split_once('x') {
        Some((frames, step)) => (frames, step.parse().ok().filter(|step| *step > 0)?),
        None => (part, 1),
    };
    if let Ok(frame) = frames.parse() {
        return Some((frame, frame, step));
    }
    // The dash between two numbers, not the sign of the first.
    let dash = frames.char_indices().skip(1).find(|(_, it)| *it == '-')?.0;
    Some((frames[..dash].parse().ok()?, frames[dash + 1..].parse().ok()?, step))
}

fn wrong(pointer: &str, detail: &str) -> Problem {
    problems::invalid_batch(FieldProblem { pointer: pointer.into(), detail: detail.into() })
}

fn of_job(mut problem: Problem, number: usize, count: usize) -> Problem {
    if count > 1 {
        problem.detail = format!("of job {} of {count}: {}", number + 1, problem.detail);
    }
    problem
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn expanded(request: Value) -> Result<Vec<JobRequest>, Problem> {
        expand(serde_json::from_value(request).unwrap(), 100)
    }

    fn told(request: Value) -> Vec<(Value, Option<i32>)> {
        let jobs = expanded(request).unwrap();
        jobs.into_iter().map(|job| (job.params.into(), job.output.frame)).collect()
    }

    fn refused(request: Value) -> (String, String) {
        let problem = expanded(request).unwrap_err();
        assert_eq!(problem.status, 422);
        let error = problem
            .errors
            .into_iter()
            .next()
            .unwrap_or_else(|| FieldProblem { pointer: String::new(), detail: problem.detail });
        (error.pointer, error.detail)
    }

    #[test]
    fn variants_and_frames_are_multiplied_frames_changing_fastest() {
        let request = json!({
            "job": {"template": "mug", "params": {"size": 1, "colour": "red"}},
            "variants": [{}, {"colour": "blue"}],
            "frames": "1-3x2",
        });
        let (red, blue) =
            (json!({"size": 1, "colour": "red"}), json!({"size": 1, "colour": "blue"}));
        let wanted = [(&red, 1), (&red, 3), (&blue, 1), (&blue, 3)];
        assert_eq!(
            told(request),
            wanted.map(|(params, frame)| (params.clone(), Some(frame))).to_vec()
        );
    }

    #[test]
    fn a_matrix_is_all_its_combinations() {
        let request = json!({
            "job": {"template": "mug"},
            "matrix": {"colour": ["red", "blue"], "size": [1, 2]},
        });
        let params: Vec<_> = told(request).into_iter().map(|(params, _)| params).collect();
        let one = |colour: &str, size: u32| json!({"colour": colour, "size": size});
        assert_eq!(params, [one("red", 1), one("red", 2), one("blue", 1), one("blue", 2)]);
    }

    #[test]
    fn a_batch_of_nothing_but_a_job_is_one_job() {
        assert_eq!(told(json!({"job": {"template": "mug"}})), [(json!({}), None)]);
    }

    #[test]
    fn frames_are_single_ones_and_ranges() {
        let frames = |text| parse_frames(text, 100).unwrap();
        assert_eq!(frames("7"), [7]);
        assert_eq!(frames("1-5x2, 10"), [1, 3, 5, 10]);
        assert_eq!(frames("-3--1"), [-3, -2, -1]);
        assert_eq!(frames("-1-1"), [-1, 0, 1]);
    }

    #[test]
    fn what_is_no_batch_is_told_where() {
        let job = json!({"template": "mug"});
        for (frames, said) in [
            ("", "`` is no frame"),
            ("a", "`a` is no frame"),
            ("1-2x0", "`1-2x0` is no frame"),
            ("5-1", "`5-1` ends before it begins"),
            ("1-3,2", "2 is named twice"),
            ("1-2000000000", "more than 100"),
            ("1-99999999999", "is no frame"),
        ] {
            let (pointer, detail) = refused(json!({"job": job, "frames": frames}));
            assert!(pointer == "/frames" && detail.contains(said), "{frames}: {detail}");
        }
        let (pointer, _) = refused(json!({"job": job, "matrix": {"size": []}}));
        assert_eq!(pointer, "/matrix/size");
        let (_, detail) = refused(json!({
            "job": job,
            "frames": "1-50",
            "matrix": {"a": [1, 2], "b": [1, 2]},
        }));
        assert!(detail.contains("200"), "{detail}");
    }

    proptest! {
        #[test]
        fn any_text_of_frames_is_read_or_refused(text in "[-0-9x, ]{0,24}") {
            if let Ok(frames) = parse_frames(&text, 50) {
                prop_assert!(!frames.is_empty() && frames.len() <= 50);
            }
        }
    }
}
