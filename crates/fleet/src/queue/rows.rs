//! Rows of the database as values, and back.

use aiobpy_wire::{Artefact, EventRecord, Job, JobId, JobRequestFields, JobState, WorkerId};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::Listing;
use crate::line::Standing;

const COLUMNS: &str = "id, template, params, output, state, attempt, progress, message, worker, \
                       artefact, problem, created_at, started_at, ended_at, priority, \
                       timeout_seconds, crashes, tenant, batch, webhook, pool, cache, spec, \
                       cached_from, traceparent";

/// A job tells the place in a trace of all its events.
const EVENT_COLUMNS: &str =
    "sequence, at, event, (select traceparent from job where job.id = event.job)";

pub(super) fn job(connection: &Connection, id: JobId) -> Result<Option<Job>> {
    connection
        .prepare_cached(&format!("select {COLUMNS} from job where id = ?1"))?
        .query_row([id.to_string()], job_from_row)
        .optional()
}

/// The last finished job of a spec.
pub(super) fn finished_as(connection: &Connection, spec: &str) -> Result<Option<Job>> {
    connection
        .prepare_cached(&format!(
            "select {COLUMNS} from job where spec = ?1 and state = 'finished' \
             order by id desc limit 1"
        ))?
        .query_row([spec], job_from_row)
        .optional()
}

pub(super) fn jobs(connection: &Connection, listing: &Listing) -> Result<Vec<Job>> {
    let Listing { tenant, batch, live, limit } = listing;
    let (of_tenant, of_batch) = (tenant.is_some(), batch.is_some());
    // Only what is asked for is in the text, so that the right index is taken.
    let mut conditions = Vec::new();
    conditions.extend(of_tenant.then_some("tenant = ?2"));
    conditions.extend(of_batch.then_some("batch = ?3"));
    conditions.extend(live.then_some("state in ('queued', 'running')"));
    let conditions = if conditions.is_empty() {
        String::new()
    } else {
        format!("where {}", conditions.join(" and "))
    };
    let order = if of_batch { "asc" } else { "desc" };
    let batch = batch.map(|batch| batch.to_string());
    // Numbered, so that those which are left out may be bound all the same.
    connection
        .prepare_cached(&format!(
            "select {COLUMNS} from job {conditions} order by id {order} \
             limit ?1 + 0 * (?2 is null) + 0 * (?3 is null)"
        ))?
        .query_map(params![bounded(*limit), tenant, batch], job_from_row)?
        .collect()
}

pub(super) fn jobs_in(connection: &Connection, state: JobState) -> Result<Vec<Job>> {
    connection
        .prepare_cached(&format!("select {COLUMNS} from job where state = ?1 order by id"))?
        .query_map([word(state)?], job_from_row)?
        .collect()
}

/// What the line has to know of each job that has not ended.
pub(super) fn live(connection: &Connection) -> Result<Vec<Standing>> {
    connection
        .prepare_cached(&format!(
            "select {COLUMNS} from job where state in ('queued', 'running') order by id"
        ))?
        .query_map([], |row| job_from_row(row).map(|job| Standing::of(&job)))?
        .collect()
}

/// Whether so many jobs wait, or more; of one tenant, if one is named.
pub(super) fn as_many_wait(
    connection: &Connection,
    tenant: Option<&str>,
    count: usize,
) -> Result<bool> {
    let counted: i64 = match tenant {
        None => connection
            .prepare_cached(
                "select count(*) from (select 1 from job where state = 'queued' limit ?1)",
            )?
            .query_row([bounded(count)], |row| row.get(0))?,
        Some(tenant) => connection
            .prepare_cached(
                "select count(*) from \
                 (select 1 from job where tenant = ?2 and state = 'queued' limit ?1)",
            )?
            .query_row(params![bounded(count), tenant], |row| row.get(0))?,
    };
    Ok(counted >= bounded(count))
}

/// The job of a client's own name for its request, and the hash of what it asked for.
pub(super) fn job_of_key(
    connection: &Connection,
    key: &str,
) -> Result<Option<(JobId, Option<String>)>> {
    connection
        .prepare_cached("select id, request_hash from job where request_key = ?1")?
        .query_row([key], |row| Ok((parsed(row, 0)?, row.get(1)?)))
        .optional()
}

/// Deletes jobs that ended before a time, with their events, and returns their artefacts.
pub(super) fn delete_jobs_before(connection: &Connection, at: &str) -> Result<Vec<Artefact>> {
    connection
        .prepare_cached("delete from event where job in (select id from job where ended_at < ?1)")?
        .execute([at])?;
    let mut deleting =
        connection.prepare_cached("delete from job where ended_at < ?1 returning artefact")?;
    let artefacts: Vec<Option<Artefact>> =
        deleting.query_map([at], |row| optional(row, 0, from_json))?.collect::<Result<_>>()?;
    Ok(artefacts.into_iter().flatten().collect())
}

/// Whether a job has an artefact of this hash.
pub(super) fn has_artefact(connection: &Connection, hash: &str) -> Result<bool> {
    connection
        .prepare_cached("select 1 from job where artefact ->> 'hash' = ?1 limit 1")?
        .exists([hash])
}

pub(super) fn events_since(
    connection: &Connection,
    sequence: u64,
    job: Option<JobId>,
    limit: usize,
) -> Result<Vec<EventRecord>> {
    let after = i64::try_from(sequence).unwrap_or(i64::MAX);
    match job {
        Some(job) => connection
            .prepare_cached(&format!(
                "select {EVENT_COLUMNS} from event where job = ?1 and sequence > ?2 \
                 order by sequence limit ?3"
            ))?
            .query_map(params![job.to_string(), after, bounded(limit)], event_from_row)?
            .collect(),
        None => connection
            .prepare_cached(&format!(
                "select {EVENT_COLUMNS} from event where sequence > ?1 order by sequence limit ?2"
            ))?
            .query_map(params![after, bounded(limit)], event_from_row)?
            .collect(),
    }
}

pub(super) fn insert_job(
    connection: &Connection,
    job: &Job,
    named: Option<(&str, &str)>,
) -> Result<()> {
    let (key, hash) = named.unzip();
    connection
        .prepare_cached(
            "insert into job (id, template, params, output, state, created_at, priority, \
             timeout_seconds, request_key, request_hash, tenant, batch, webhook, pool, cache, \
             traceparent) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            job.id.to_string(),
            job.request.template,
            json(&job.request.params)?,
            json(&job.request.output)?,
            word(job.state)?,
            job.created_at.to_string(),
            job.request.priority,
            job.request.timeout_seconds,
            key,
            hash,
            job.tenant,
            job.batch.map(|batch| batch.to_string()),
            job.request.webhook.as_ref().map(json).transpose()?,
            job.request.pool,
            job.request.cache,
            job.traceparent,
        ])?;
    Ok(())
}

/// Writes all of a job that can change.
pub(super) fn update_job(connection: &Connection, job: &Job) -> Result<()> {
    connection
        .prepare_cached(
            "update job set state = ?2, attempt = ?3, progress = ?4, message = ?5, worker = ?6, \
             artefact = ?7, problem = ?8, started_at = ?9, ended_at = ?10, crashes = ?11, \
             spec = ?12, cached_from = ?13 where id = ?1",
        )?
        .execute(params![
            job.id.to_string(),
            word(job.state)?,
            job.attempt,
            job.progress,
            job.message,
            job.worker.as_ref().map(|worker| &worker.0),
            job.artefact.as_ref().map(json).transpose()?,
            job.problem.as_ref().map(json).transpose()?,
            job.started_at.map(|at| at.to_string()),
            job.ended_at.map(|at| at.to_string()),
            job.crashes,
            job.spec,
            job.cached_from.map(|id| id.to_string()),
        ])?;
    Ok(())
}

/// Writes an event and returns its sequence number.
pub(super) fn insert_event(
    connection: &Connection,
    job: Option<JobId>,
    at: &str,
    event: &impl Serialize,
) -> Result<u64> {
    connection
        .prepare_cached("insert into event (job, at, event) values (?1, ?2, ?3)")?
        .execute(params![job.map(|id| id.to_string()), at, json(event)?])?;
    Ok(u64::try_from(connection.last_insert_rowid()).unwrap_or_default())
}

pub(super) fn delete_events_before(connection: &Connection, at: &str) -> Result<usize> {
    connection.execute("delete from event where at < ?1", [at])
}

fn job_from_row(row: &Row<'_>) -> Result<Job> {
    Ok(Job {
        id: parsed(row, 0)?,
        request: JobRequestFields {
            template: row.get(1)?,
            params: from_json(row, 2)?,
            output: from_json(row, 3)?,
            priority: row.get(14)?,
            timeout_seconds: row.get(15)?,
            webhook: optional(row, 19, from_json)?,
            pool: row.get(20)?,
            cache: row.get(21)?,
        },
        tenant: row.get(17)?,
        traceparent: row.get(24)?,
        batch: optional(row, 18, parsed)?,
        state: from_word(row, 4)?,
        attempt: row.get(5)?,
        crashes: row.get(16)?,
        progress: row.get(6)?,
        message: row.get(7)?,
        worker: row.get::<_, Option<String>>(8)?.map(WorkerId),
        artefact: optional(row, 9, from_json)?,
        spec: row.get(22)?,
        cached_from: optional(row, 23, parsed)?,
        problem: optional(row, 10, from_json)?,
        created_at: parsed(row, 11)?,
        started_at: optional(row, 12, parsed)?,
        ended_at: optional(row, 13, parsed)?,
    })
}

fn event_from_row(row: &Row<'_>) -> Result<EventRecord> {
    let sequence: i64 = row.get(0)?;
    Ok(EventRecord {
        sequence: u64::try_from(sequence).unwrap_or_default(),
        at: parsed(row, 1)?,
        traceparent: row.get(3)?,
        event: from_json(row, 2)?,
    })
}

pub(super) fn optional<T>(
    row: &Row<'_>,
    column: usize,
    read: fn(&Row<'_>, usize) -> Result<T>,
) -> Result<Option<T>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => read(row, column).map(Some),
    }
}

pub(super) fn parsed<T>(row: &Row<'_>, column: usize) -> Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| conversion_failed(column, error))
}

fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| conversion_failed(column, error))
}

/// Reads an enum that the database keeps as a bare word.
pub(super) fn from_word<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_value(text.into()).map_err(|error| conversion_failed(column, error))
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn word(state: JobState) -> Result<String> {
    json(&state).map(|quoted| quoted.trim_matches('"').to_owned())
}

fn conversion_failed(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

pub(super) fn bounded(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
