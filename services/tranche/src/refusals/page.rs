//! Reads `ADR/rules.md`, the page of our own rules, which the program carries with it.

/// The page.
const PAGE: &str = include_str!("../../../../ADR/rules.md");

/// Gives what the page says about the rule with this anchor, as plain text.
#[must_use]
pub fn rule(anchor: &str) -> Option<String> {
    let (_, entry) = PAGE.split_once(&format!("<a id=\"{anchor}\"></a>\n"))?;
    let mut lines = entry.lines();
    let heading = lines.next()?.strip_prefix("### ")?;
    let text: Vec<&str> =
        lines.take_while(|line| !line.starts_with("<a ") && !line.starts_with("## ")).collect();
    Some(format!("{heading}. {}", plain(text.join(" ").trim())))
}

/// Takes the marks of Markdown out: links keep their words.
fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        shown += before;
        let link = after
            .split_once("](")
            .and_then(|(words, behind)| Some((words, behind.split_once(')')?.1)));
        match link {
            Some((words, behind)) => {
                shown += words;
                rest = behind;
            }
            None => {
                shown.push('[');
                rest = after;
            }
        }
    }
    (shown + rest).replace("*Why:*", "Why:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_up_to_the_next_one() {
        let text = rule("two-clocks").unwrap();
        assert!(text.starts_with("Two clocks. Each event knows"), "{text}");
        assert!(text.contains("recorded (0007). Nothing"), "{text}");
        assert!(text.ends_with("an auditor asks both."), "{text}");
        assert!(rule("sources").unwrap().ends_with("looks like a fact."));
        assert_eq!(rule("no-such-rule"), None);
    }
}
