# What failed in a log of the test runner, and nothing else: of a unit test that failed, crashed or
# never ended its own lines; of an end-to-end test the part behind FAILURES. The newest lines win.
function show() {
  from = count > 60 ? count - 60 : 0
  if (from > 0) print "[... " from " lines]"
  for (i = from; i < count; i++) print lines[i]
  count = 0
  is_inside = 0
}
/^\[ RUN      \]|^=+ FAILURES =+$/ { if (is_inside) show(); is_inside = 1; count = 0 }
/^\[       OK \]|^\[  SKIPPED \]/ { is_inside = 0; count = 0 }
/^ *[0-9]+\/[0-9]+ Test +#|^ +Start +[0-9]+:|^[0-9]+% tests passed/ { if (is_inside) show() }
is_inside { lines[count++] = $0 }
/^\[  FAILED  \] .*\([0-9]+ ms\)$/ { if (is_inside) show() }
END { if (is_inside) show() }
