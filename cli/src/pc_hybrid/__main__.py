from pc_hybrid.main import main

main()
