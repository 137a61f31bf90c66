//! A job and the files that it is to use, in one request.

use aiobpy_fleet::Fleet;
use aiobpy_wire::JobRequest;
use axum::extract::Request;
use http::header::{self, HeaderMap};
use serde_json::Value;

use crate::body;
use crate::error::Failure;
use crate::form::{self, Content, Form, Upload};
use crate::shared::WithFleet;

/// The part that is the job itself, as JSON.
const REQUEST: &str = "request";

/// Whether a request is a form, and not JSON.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|given| given.to_str().ok());
    let essence = given.and_then(|given| given.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("multipart/form-data")
}

/// Reads a form, keeps its files, and names them in the job.
///
/// # Errors
/// It is cut short or too large, it is not a job and files, or the files cannot be kept.
pub(crate) async fn read(
    request: Request,
    WithFleet { fleet, shared }: &WithFleet,
) -> Result<JobRequest, Failure> {
    let (parts, body) = request.into_parts();
    // Where the files are to be in the end: moving them costs nothing.
    let folder = fleet.upload_path().parent().map(Into::into);
    let limits = &shared.limits;
    let form = form::read_into(&parts.headers, body, limits, limits.input_bytes, folder).await?;
    let (mut asked, files) = job_and_files(form, limits.body_bytes)?;
    for file in files {
        let parameter = file.name.clone();
        let name = Value::from(keep(fleet, file.content).await?);
        match asked.params.get_mut(&parameter) {
            None => {
                asked.params.insert(parameter, name);
            }
            Some(Value::Array(names)) => names.push(name),
            Some(first) => *first = Value::from(vec![first.take(), name]),
        }
    }
    Ok(asked)
}

/// The job as it was sent, and the files for parameters that it leaves out.
fn job_and_files(form: Form, most: usize) -> Result<(JobRequest, Vec<Upload>), Failure> {
    let Form { fields, uploads } = form;
    let mut texts = Vec::new();
    for (name, text) in fields {
        if name != REQUEST {
            let detail = format!("the part `{name}` is not a file: a file has a file name");
            return Err(Failure::WrongParts { detail });
        }
        texts.push(text.into_bytes());
    }
    let (jobs, files): (Vec<_>, Vec<_>) =
        uploads.into_iter().partition(|upload| upload.name == REQUEST);
    for job in jobs {
        match job.content {
            Content::Memory(text) if text.len() <= most => texts.push(text.to_vec()),
            _ => return Err(Failure::TooLarge { limit: most }),
        }
    }
    let [text] = &texts[..] else {
        let detail = format!("it has {} parts `{REQUEST}`, and not one", texts.len());
        return Err(Failure::WrongParts { detail });
    };
    let asked: JobRequest = body::from_json(text)?;
    if let Some(both) = files.iter().find(|file| asked.params.contains_key(&file.name)) {
        let pointer = format!("/params/{}", both.name.replace('~', "~0").replace('/', "~1"));
        let detail = "has a value here, and is sent as a file as well".to_owned();
        return Err(Failure::WrongShape { pointer, detail });
    }
    Ok((asked, files))
}

async fn keep(fleet: &Fleet, content: Content) -> Result<String, Failure> {
    Ok(match content {
        Content::Memory(bytes) => fleet.put_input(bytes.into()).await?,
        Content::Disk(path) => fleet.take_input(path.to_path_buf()).await?,
    })
}
