# make install: the binary, its man page and the shells' completions, below one prefix.
include(GNUInstallDirs)
if(TARGET wormhole)
  install(TARGETS wormhole RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
set(packaging ${PROJECT_SOURCE_DIR}/packaging)
install(FILES ${packaging}/wormhole.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${packaging}/wormhole.bash RENAME wormhole
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${packaging}/_wormhole DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${packaging}/wormhole.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
