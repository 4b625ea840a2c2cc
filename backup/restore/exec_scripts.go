package restore

import "sandkeeper/internal/journal"

// The scripts get the home as $1 and the stage as $2. Only names come after that, never commands. Each may be cut short
// at any point by a kill, and be followed by any of those that clear up after it, as often as it takes.
const (
	// A stage that is there already may hold the only copy of somebody's old content: it is neither used nor removed.
	scriptStage = `set -e; umask 077
		for f in "$1"/` + journal.StagePrefix + `*; do if [ -e "$f" ] && [ "$f" != "$2" ]; then
		echo "$f is of an earlier restore and may hold what was there before it; move it out of $1 first" >&2; exit 74; fi; done
		mkdir "$2"; mkdir "$2/new" "$2/old" "$2/failed"`
	scriptAppend = `cat >> "$2/archive.tar"`
	scriptUnpack = `set -e; cd "$2/new"; tar -xpf ../archive.tar; rm ../archive.tar`
	scriptDrop   = `[ -d "$2" ] || exit 0; chmod -R u+rwX "$2"; rm -rf "$2"`

	// A swap that its caller did not live to see may still be going on: it is waited for, by the process that it noted.
	scriptBusy    = `echo $$ > "$2/pid" || exit 1; `
	scriptSettled = `p=$(cat "$2/pid" 2>/dev/null) || exit 0; for i in 1 2 3 4 5 6 7 8 9 10; do
		[ "$p" != $$ ] && grep -qsF -- "$2" "/proc/$p/cmdline" || exit 0; sleep 1; done
		echo "a command of the restore is still going on in it, as process $p" >&2; exit 75`

	// move TO FROM: everything in FROM but the stage. The file "emptied" says that what is in the home now is not the
	// old content.
	scriptMove = `home="$1"; stage="$2"; move() { for f in "$2"/* "$2"/.[!.]* "$2"/..?*; do
		if [ "$f" != "$stage" ] && { [ -e "$f" ] || [ -L "$f" ]; }; then mv "$f" "$1"/ || return 1; fi; done; }
		`
	scriptSwapAll = scriptBusy + scriptMove + `move "$stage/old" "$home" && : > "$stage/emptied" && move "$home" "$stage/new"`
	scriptBackAll = scriptBusy + scriptMove + `if [ -e "$stage/emptied" ]; then move "$stage/failed" "$home" && rm "$stage/emptied" || exit 1; fi
		move "$home" "$stage/old"`

	// take FROM TO NAME: one name, with the folders above it. A name that is still in new was not swapped. The files
	// "undone-N" say that what is in the home under the N-th name is not the new content any more.
	scriptTake = `home="$1"; stage="$2"; shift 2; there() { [ -e "$1" ] || [ -L "$1" ]; }
		take() { if there "$1/$3"; then mkdir -p "$(dirname "$2/$3")" && mv "$1/$3" "$2/$3"; fi; }
		`
	scriptSwapSome = scriptBusy + scriptTake + `for n in "$@"; do take "$home" "$stage/old" "$n" && take "$stage/new" "$home" "$n" || exit 1; done`
	scriptBackSome = scriptBusy + scriptTake + `i=0; for n in "$@"; do i=$((i+1))
		if ! there "$stage/new/$n" && ! [ -e "$stage/undone-$i" ]; then take "$home" "$stage/failed" "$n" && : > "$stage/undone-$i" || exit 1; fi
		take "$stage/old" "$home" "$n" || exit 1; done`
	scriptCarry    = scriptTake + `! there "$home/$1" && there "$stage/old/$1" && take "$stage/old" "$home" "$1"`
	scriptCarryAll = scriptTake + `for n in "$@"; do if ! there "$home/$n" && there "$stage/old/$n"; then take "$stage/old" "$home" "$n" || :; fi; done`

	// namesAtOnce is how many names go into one command: a gateway takes only so long a one.
	namesAtOnce = 200
)
