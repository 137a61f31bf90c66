//! What no source may contain, where a linter cannot say it.

use std::fs;
use std::path::Path;

use crate::failure::{Doing, Failure, Outcome};
use crate::run::Run;
use crate::workspace;

/// Read every file that git knows, and fail with a list of what was found.
pub(crate) fn check() -> Outcome {
    let files = Run::new("git").args(["ls-files", "-z", "*.rs", "*.py", "*.pyi"]).output()?;
    let mut findings = Vec::new();
    for file in files.split('\0').filter(|file| !file.is_empty()) {
        let path = workspace::root().join(file);
        if !path.exists() {
            continue;
        }
        let text =
            fs::read_to_string(&path).doing(|| format!("could not read `{}`", path.display()))?;
        findings.extend(findings_in(file, &text));
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("the doors are open:\n  {}", findings.join("\n  "))))
}

fn findings_in(file: &str, text: &str) -> Vec<String> {
    // This file has to name what it looks for.
    if file == "xtask/src/doors.rs" {
        return Vec::new();
    }
    let lines: Vec<&str> = text.lines().collect();
    let rules: &[Rule] = if is_rust(file) {
        &[unsafe_without_a_reason, attach_outside_the_door, sleep_in_a_rust_test]
    } else {
        &[sleep_in_a_python_test]
    };
    let mut findings = Vec::new();
    for number in 0..lines.len() {
        let of_line = rules.iter().filter_map(|rule| rule(file, &lines, number));
        findings.extend(of_line.map(|finding| format!("{file}:{}: {finding}", number + 1)));
    }
    findings
}

/// Says what is wrong with one line, if anything is.
type Rule = fn(file: &str, lines: &[&str], number: usize) -> Option<&'static str>;

fn unsafe_without_a_reason(_file: &str, lines: &[&str], number: usize) -> Option<&'static str> {
    let code = code_of(lines[number]);
    // The type of a function that is unsafe to call runs nothing.
    let code = code.replace("unsafe extern", "");
    let is_unsafe = words(&code).any(|word| word == "unsafe");
    if !is_unsafe || reason_above(lines, number) {
        return None;
    }
    Some("`unsafe` without a `SAFETY:` comment above it")
}

/// Whether the comment or attributes directly above say why the line is sound.
fn reason_above(lines: &[&str], number: usize) -> bool {
    lines[..number]
        .iter()
        .rev()
        .map(|line| line.trim())
        .take_while(|line| line.starts_with("//") || line.starts_with("#["))
        .any(|line| line.contains("SAFETY:") || line.contains("# Safety"))
}

fn attach_outside_the_door(file: &str, lines: &[&str], number: usize) -> Option<&'static str> {
    let attaches = ["Python::attach", "Python::try_attach", "PyGILState_Ensure"];
    let code = code_of(lines[number]);
    if file.starts_with("crates/native/src/") || !attaches.iter().any(|name| code.contains(name)) {
        return None;
    }
    Some("attaches to Python; only `crates/native` may, on the main thread")
}

fn sleep_in_a_rust_test(file: &str, lines: &[&str], number: usize) -> Option<&'static str> {
    let sleeps = ["thread::sleep", "time::sleep"];
    let code = code_of(lines[number]);
    let calls = sleeps.iter().any(|name| code.contains(name));
    (calls && in_a_rust_test(file, lines, number))
        .then_some("a test sleeps; wait on an event, or drive a clock")
}

fn in_a_rust_test(file: &str, lines: &[&str], number: usize) -> bool {
    file.contains("/tests/")
        || lines[..number].iter().any(|line| line.trim_start().starts_with("#[cfg(test)]"))
}

fn sleep_in_a_python_test(file: &str, lines: &[&str], number: usize) -> Option<&'static str> {
    let code = lines[number].split('#').next().unwrap_or_default();
    // `asyncio.sleep(0)` lets others run, and a loop under test may be asked to sleep on its own
    // timers: those lines say so.
    let yields = ["asyncio.sleep(0)", "asyncio.sleep(0,"];
    let says_why = lines[number].contains("# under test:");
    let sleeps = code.contains("time.sleep(")
        || code.contains("asyncio.sleep(") && !yields.iter().any(|call| code.contains(call));
    (file.starts_with("tests/") && sleeps && !says_why)
        .then_some("a test sleeps; wait on an event, or drive a clock")
}

fn is_rust(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "rs")
}

/// A line without its comment. A string that holds `//` is cut short, which hides nothing that
/// matters here.
fn code_of(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_needs_a_reason_directly_above() {
        // The word is put in here, so that a search for it finds only real ones.
        let findings = |text: &str| {
            findings_in("crates/a/src/a.rs", &text.replace('?', &["un", "safe"].concat()))
        };
        assert_eq!(findings("fn f() {\n    ? { g() }\n}").len(), 1);
        let reason = "fn f() {\n    // SAFETY: g is fine.\n    ? { g() }\n}";
        assert_eq!(findings(reason), Vec::<String>::new());
        let far = "// SAFETY: g is fine.\nfn f() {\n    ? { g() }\n}";
        assert_eq!(findings(far).len(), 1);
        let of_a_function = "    call: ? extern \"C\" fn() -> i32,";
        assert_eq!(findings(of_a_function), Vec::<String>::new());
    }

    #[test]
    fn unsafe_code_as_a_lint_and_in_a_comment_is_no_unsafe() {
        assert!(findings_in("crates/a/src/a.rs", "#![expect(unsafe_code)]\n// unsafe").is_empty());
    }

    #[test]
    fn attaching_is_for_the_native_crate() {
        let line = "Python::attach(|py| {})";
        assert_eq!(findings_in("crates/server/src/a.rs", line).len(), 1);
        assert!(findings_in("crates/native/src/main_thread.rs", line).is_empty());
    }

    #[test]
    fn tests_do_not_sleep() {
        let rust = "#[cfg(test)]\nmod tests { fn f() { std::thread::sleep(x) } }";
        assert_eq!(findings_in("crates/a/src/a.rs", rust).len(), 1);
        assert_eq!(findings_in("tests/a.py", "    time.sleep(1)").len(), 1);
        assert_eq!(findings_in("tests/a.py", "    await asyncio.sleep(0.1)").len(), 1);
        assert!(findings_in("tests/a.py", "    await asyncio.sleep(0)").is_empty());
        assert!(findings_in("tests/a.py", "    asyncio.sleep(0, result)").is_empty());
        let timer = "    await asyncio.sleep(0.01)  # under test: the loop's own timers";
        assert!(findings_in("tests/a.py", timer).is_empty());
        assert!(findings_in("examples/a.py", "time.sleep(1)").is_empty());
    }
}
