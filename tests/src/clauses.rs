//! The clauses of the specification, read from its text, and whether something checks each.

/// A clause: its number, and how it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The number, as `4.10`.
    pub number: String,
    /// The words of its tag, as `lint`, `case` or `wire: http`.
    pub tags: Vec<String>,
}

/// The clauses in a text, in order. A clause is a paragraph that starts with its number in bold brackets and ends with
/// its tag in parentheses.
///
/// # Errors
/// When a paragraph starts like a clause and has no tag, or a number stands twice.
pub fn parse(text: &str) -> Result<Vec<Clause>, String> {
    let mut clauses: Vec<Clause> = Vec::new();
    for paragraph in text.split("\n\n") {
        let paragraph = paragraph.trim();
        let Some((number, rest)) = paragraph.strip_prefix("**[").and_then(|rest| rest.split_once("]**")) else {
            continue;
        };
        let tag = rest.strip_suffix(')').and_then(|rest| rest.rsplit_once('('));
        let Some((_, tag)) = tag else {
            return Err(format!("clause {number} ends without a tag"));
        };
        if clauses.iter().any(|clause| clause.number == number) {
            return Err(format!("there are two clauses {number}"));
        }
        let tags = tag.split(',').map(|word| word.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        clauses.push(Clause { number: number.to_owned(), tags });
    }
    Ok(clauses)
}

impl Clause {
    /// Whether it has that tag.
    pub fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|candidate| candidate == tag)
    }
}

/// What is wrong between clauses with a tag and the numbers that something claims to check: clauses that nobody checks,
/// and numbers that no clause has.
pub fn orphans<'a>(clauses: &[Clause], tag: &str, checked: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let checked: Vec<&str> = checked.into_iter().collect();
    let unchecked = clauses.iter().filter(|clause| clause.has(tag) && !checked.contains(&clause.number.as_str()));
    let mut wrong: Vec<String> =
        unchecked.map(|clause| format!("clause [{}] says ({tag}), and there is none", clause.number)).collect();
    for number in checked {
        if !clauses.iter().any(|clause| clause.number == number) {
            wrong.push(format!("a {tag} names clause [{number}], which does not exist"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_are_told_from_prose() {
        let text = "# Title\n\nProse [1.1] (case)\n\n**[1.1]** A server MUST\nwork. (lint,\ncase)\n\n**[1.2]** It (x). (wire: http)";
        let clauses = parse(text).unwrap();
        assert_eq!(clauses.len(), 2);
        assert!(clauses[0].has("lint") && clauses[0].has("case") && !clauses[1].has("case"));
        assert!(clauses[1].has("wire: http"));
    }

    #[test]
    fn a_clause_without_tag_or_with_a_number_taken_is_an_error() {
        assert!(parse("**[1.1]** A server MUST work.").is_err());
        assert!(parse("**[1.1]** A. (case)\n\n**[1.1]** B. (case)").is_err());
    }

    #[test]
    fn orphans_are_found_on_both_sides() {
        let clauses = parse("**[1.1]** A. (case)\n\n**[1.2]** B. (lint)").unwrap();
        assert!(orphans(&clauses, "case", ["1.1"]).is_empty());
        assert_eq!(orphans(&clauses, "case", []).len(), 1);
        assert_eq!(orphans(&clauses, "case", ["1.1", "9.9"]).len(), 1);
    }
}
