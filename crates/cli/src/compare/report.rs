//! What is told of a comparison: a page that needs no other file, and JSON for programs.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::builds::{Build, Rendered};
use super::difference::{Difference, STRENGTH};
use crate::failure::Failure;

const STYLE: &str = include_str!("report.css");

#[derive(Debug)]
pub(super) struct Report {
    pub(super) template: PathBuf,
    /// Of the jobs.
    pub(super) names: Vec<String>,
    /// The first is what the others are held against.
    pub(super) builds: Vec<Build>,
    pub(super) comparisons: Vec<Comparison>,
    pub(super) verdict: Verdict,
}

#[derive(Debug)]
pub(super) struct Comparison {
    /// The build that is held against the first.
    pub(super) other: usize,
    pub(super) job: usize,
    pub(super) found: Result<Difference, String>,
}

/// What a picture has to be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) least_similarity: f64,
    pub(super) most_difference: f64,
}

impl Verdict {
    fn passes(self, found: &Result<Difference, String>) -> bool {
        found.as_ref().is_ok_and(|found| {
            found.similarity >= self.least_similarity && found.mean <= self.most_difference
        })
    }
}

impl Report {
    pub(super) fn failures(&self) -> usize {
        self.comparisons.iter().filter(|one| !self.verdict.passes(&one.found)).count()
    }

    /// One line for each comparison.
    pub(super) fn lines(&self) -> Vec<String> {
        self.comparisons.iter().map(|one| self.line(one)).collect()
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let failed = |error| {
            Failure::new(format!("could not write the report to `{}`: {error}", folder.display()))
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        std::fs::write(folder.join("index.html"), self.page()).map_err(failed)?;
        let json = serde_json::to_vec_pretty(&self.json()).map_err(Failure::new)?;
        std::fs::write(folder.join("report.json"), json).map_err(failed)
    }

    fn line(&self, one: &Comparison) -> String {
        let state = if self.verdict.passes(&one.found) { "same" } else { "DIFFERS" };
        let build = &self.builds[one.other];
        format!("{state:<8} {} {}: {}", build.version, self.names[one.job], told(&one.found))
    }

    fn page(&self) -> String {
        let mut page = String::new();
        let template = escaped(&self.template.display().to_string());
        let failures = self.failures();
        let summary = match failures {
            0 => "all pictures are the same, within the limits".to_owned(),
            many => format!("{many} of {} comparisons differ", self.comparisons.len()),
        };
        let class = if failures == 0 { "same" } else { "differs" };
        // Writing to a text cannot fail.
        let _ = write!(
            page,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{template}: {summary}</title><style>{STYLE}</style></head><body>\
             <h1>{template}</h1><p class=\"{class}\">{summary}</p>{}",
            self.builds_table()
        );
        for one in &self.comparisons {
            self.section(&mut page, one);
        }
        let Verdict { least_similarity, most_difference } = self.verdict;
        let _ = writeln!(
            page,
            "<footer>Same: structural similarity (SSIM, Wang et al. 2004) of at least {least_similarity}, and values \
             that differ by {most_difference} of 255 on average at most. Differences are shown {STRENGTH} times as \
             strong.</footer></body></html>"
        );
        page
    }

    fn builds_table(&self) -> String {
        let rows = self.builds.iter().map(|build| {
            let seconds: f64 = build.rendered.iter().map(|rendered| rendered.seconds).sum();
            format!(
                "<tr><td>{}</td><td><code>{}</code></td><td>{seconds:.2} s</td></tr>",
                escaped(&build.version),
                escaped(&build.path)
            )
        });
        format!(
            "<table><thead><tr><th>Blender</th><th>program</th><th>all jobs</th></tr></thead><tbody>{}</tbody></table>",
            rows.collect::<String>()
        )
    }

    fn section(&self, page: &mut String, one: &Comparison) {
        let class = if self.verdict.passes(&one.found) { "same" } else { "differs" };
        let (first, other) = (&self.builds[0], &self.builds[one.other]);
        let (a, b) = (&first.rendered[one.job], &other.rendered[one.job]);
        let difference = match &one.found {
            Ok(found) => picture(&found.picture, "the difference", ""),
            Err(reason) => format!("<figure><p>{}</p></figure>", escaped(reason)),
        };
        let _ = write!(
            page,
            "<section class=\"{class}\"><h2>{}</h2><p>{}</p><div>{}{}{difference}</div></section>",
            escaped(&self.names[one.job]),
            escaped(&told(&one.found)),
            of_build(a, &first.version),
            of_build(b, &other.version),
        );
    }

    fn json(&self) -> Value {
        let builds: Vec<Value> = self
            .builds
            .iter()
            .map(|build| json!({ "path": build.path, "version": build.version }))
            .collect();
        let comparisons: Vec<Value> =
            self.comparisons.iter().map(|one| self.json_of(one)).collect();
        json!({
            "template": self.template,
            "builds": builds,
            "least_similarity": self.verdict.least_similarity,
            "most_difference": self.verdict.most_difference,
            "comparisons": comparisons,
            "failures": self.failures(),
        })
    }

    fn json_of(&self, one: &Comparison) -> Value {
        let seconds = [0, one.other].map(|build| self.builds[build].rendered[one.job].seconds);
        let mut value = json!({
            "job": self.names[one.job],
            "builds": [0, one.other],
            "seconds": seconds,
            "passes": self.verdict.passes(&one.found),
        });
        match &one.found {
            Ok(found) => {
                value["similarity"] = json!(found.similarity);
                value["mean_difference"] = json!(found.mean);
                value["max_difference"] = json!(found.max);
            }
            Err(reason) => value["problem"] = json!(reason),
        }
        value
    }
}

fn told(found: &Result<Difference, String>) -> String {
    match found {
        Ok(found) => format!(
            "similarity {:.5}, differs by {:.3} on average and {} at most",
            found.similarity, found.mean, found.max
        ),
        Err(reason) => reason.clone(),
    }
}

fn of_build(rendered: &Rendered, version: &str) -> String {
    match &rendered.picture {
        Ok(png) => {
            picture(png, &format!("Blender {version}"), &format!("{:.2} s", rendered.seconds))
        }
        Err(reason) => format!("<figure><p>{}</p></figure>", escaped(reason)),
    }
}

fn picture(png: &[u8], what: &str, more: &str) -> String {
    let what = escaped(what);
    let data = STANDARD.encode(png);
    format!(
        "<figure><img alt=\"{what}\" src=\"data:image/png;base64,{data}\"><figcaption>{what} {more}</figcaption></figure>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(found: Result<Difference, String>) -> Report {
        let build = |version: &str| Build {
            path: "/opt/<blender>".to_owned(),
            version: version.to_owned(),
            rendered: vec![Rendered { picture: Ok(vec![1, 2, 3]), seconds: 0.5 }],
        };
        Report {
            template: PathBuf::from("mug.py"),
            names: vec!["red".to_owned()],
            builds: vec![build("4.5.0"), build("5.0.1")],
            comparisons: vec![Comparison { other: 1, job: 0, found }],
            verdict: Verdict { least_similarity: 0.98, most_difference: 2.0 },
        }
    }

    fn difference(similarity: f64, mean: f64) -> Difference {
        Difference { max: 9, mean, similarity, picture: vec![4] }
    }

    #[test]
    fn a_picture_passes_within_both_limits() {
        let failures = |found| report(found).failures();
        assert_eq!(failures(Ok(difference(0.99, 1.0))), 0);
        assert_eq!(failures(Ok(difference(0.97, 1.0))), 1);
        assert_eq!(failures(Ok(difference(0.99, 3.0))), 1);
        assert_eq!(failures(Err("both failed".to_owned())), 1);
    }

    #[test]
    fn the_page_needs_no_other_file_and_shows_what_was_given_as_text() {
        let page = report(Ok(difference(0.97, 1.0))).page();
        assert_eq!(
            page.matches("<img ").count(),
            page.matches("src=\"data:image/png;base64,").count()
        );
        assert!(page.contains("/opt/&lt;blender&gt;"));
        assert!(page.contains("1 of 1 comparisons differ"));
    }
}
